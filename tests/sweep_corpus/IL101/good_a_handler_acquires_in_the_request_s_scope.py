"""A handler acquires in the request's scope."""

from fastapi import APIRouter, FastAPI

app = FastAPI()
router = APIRouter()


@router.get("/x")
async def handler(request):
    return await request.app.state.pools.fetch("SELECT 1")
