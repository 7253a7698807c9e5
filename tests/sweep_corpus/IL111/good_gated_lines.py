"""Gated lines."""

import logging

from fastapi import FastAPI

logger = logging.getLogger(__name__)
app = FastAPI()


class Deadline:
    async def __call__(self, scope, receive, send):
        if self.gate.allow():
            logger.critical("deadline passed")
        decision = self.gate.check()
        if decision:
            logger.error("again")
        if not self.gate.fire():
            return
        logger.error("once")


@app.exception_handler(Exception)
async def failed(request, error):
    with gate.transition() as fired:
        logger.exception("failed")
    logger.info("quiet")
