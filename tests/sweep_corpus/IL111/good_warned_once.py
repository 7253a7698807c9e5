"""Written once by a flag of its own, and quiet levels."""

import logging

logger = logging.getLogger(__name__)


class Deadline:
    def __init__(self, app):
        self.app = app
        self.warned = False

    async def __call__(self, scope, receive, send):
        if not self.warned:
            self.warned = True
            logger.critical("the deadline has passed")
        logger.info("request")
        await self.app(scope, receive, send)
