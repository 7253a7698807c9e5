"""The lifespan is chosen when the application is made."""

from contextlib import asynccontextmanager

from fastapi import FastAPI


@asynccontextmanager
async def default_lifespan(app: FastAPI):
    await app.state.readpool.fetch("SELECT 1")
    yield


def create_app(lifespan=None) -> FastAPI:
    return FastAPI(lifespan=lifespan if lifespan is not None else default_lifespan)
