"""Middleware."""

import logging

logger = logging.getLogger(__name__)


class Deadline:
    async def __call__(self, scope, receive, send):
        logger.critical("deadline passed")
