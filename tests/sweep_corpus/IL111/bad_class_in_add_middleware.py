"""A class whose parameters have other names, given to `add_middleware`."""

from fastapi import FastAPI
from loguru import logger


class Access:
    def __init__(self, application):
        self.application = application

    async def __call__(self, s, r, w):
        logger.error("request")
        await self.application(s, r, w)


app = FastAPI()
app.add_middleware(Access)
