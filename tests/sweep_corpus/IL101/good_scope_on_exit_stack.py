"""Both spellings of an exit stack, one of them kept by hand."""

from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from interlock.tenancy import pre_org_resolution_scope


@asynccontextmanager
async def lifespan(app):
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(pre_org_resolution_scope("start-up"))
        await app.state.pools.fetch("SELECT 1")
    stack = AsyncExitStack()
    stack.enter_context(pre_org_resolution_scope("second"))
    await app.state.pools.fetch("SELECT 1")
    await stack.aclose()
    yield


app = FastAPI(lifespan=lifespan)
