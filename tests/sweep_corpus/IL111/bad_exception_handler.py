"""Exception handler."""

import logging

from fastapi import FastAPI

logger = logging.getLogger(__name__)
app = FastAPI()


@app.exception_handler(Exception)
async def failed(request, error):
    logger.exception("failed")
