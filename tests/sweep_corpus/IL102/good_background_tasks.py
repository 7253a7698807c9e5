"""Background tasks run under the scope of their request."""

from fastapi import APIRouter, BackgroundTasks, Request

router = APIRouter()


async def notify(pools, order):
    await pools.execute("INSERT INTO notifications VALUES ($1)", order)


@router.post("/orders")
async def order(request: Request, background: BackgroundTasks):
    background.add_task(notify, request.app.state.pools, 1)
    return {}
