"""Exception handlers in the constructor's dictionary."""

import logging

from fastapi import FastAPI

log = logging.getLogger("app")


async def unavailable(request, error):
    log.critical("database unavailable")


app = FastAPI(exception_handlers={OSError: unavailable})
