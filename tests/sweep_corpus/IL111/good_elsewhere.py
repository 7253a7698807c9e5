"""Loud lines in start-up, daemons and services are not lines of every request."""

import logging
from contextlib import asynccontextmanager

from fastapi import FastAPI

logger = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(app):
    try:
        yield
    except Exception:
        logger.exception("stopped")
        raise


class Mailer:
    def send(self):
        logger.error("no server")


app = FastAPI(lifespan=lifespan)
