"""A middleware written as a closure."""

import logging


def deadline(app):
    async def middleware(scope, receive, send):
        if scope["type"] == "http":
            logging.getLogger(__name__).critical("deadline passed")
        await app(scope, receive, send)

    return middleware
