"""A service that both handlers and a scoped start-up use."""

from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request
from interlock.tenancy import pre_org_resolution_scope


class Notes:
    def __init__(self, pools):
        self.pools = pools

    async def count(self):
        return await self.pools.fetchval("SELECT count(*) FROM notes")


@asynccontextmanager
async def lifespan(app):
    app.state.notes = Notes(app.state.pools)
    async with pre_org_resolution_scope("start-up: count the notes"):
        await app.state.notes.count()
    yield


router = APIRouter()


@router.get("/count")
async def count(request: Request):
    return await request.app.state.notes.count()


app = FastAPI(lifespan=lifespan)
