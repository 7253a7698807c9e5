"""The gate guards the branch without the line."""

import logging

from fastapi import FastAPI, Request
from interlock.gates import Gates

logger = logging.getLogger(__name__)
app = FastAPI()
gate = Gates().window("failed", 10, 60)


@app.middleware("http")
async def guard(request: Request, call_next):
    if gate.allow():
        request.state.sampled = True
    else:
        logger.error("too many")
    return await call_next(request)
