"""`logging.error` itself, in a plain function registered as middleware."""

import logging

from fastapi import FastAPI, Request


async def guard(request: Request, call_next):
    response = await call_next(request)
    if response.status_code >= 500:
        logging.error("failed %s", request.url)
    return response


app = FastAPI()
app.middleware("http")(guard)
