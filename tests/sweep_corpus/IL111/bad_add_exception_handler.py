"""`add_exception_handler`, and loguru."""

from fastapi import FastAPI
from loguru import logger


class Handlers:
    async def on_error(self, request, error):
        logger.opt(exception=error).error("unhandled")


app = FastAPI()
app.add_exception_handler(Exception, Handlers().on_error)
