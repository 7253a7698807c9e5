"""A background task is still part of the request."""

from fastapi import APIRouter, BackgroundTasks
from interlock.tenancy import pre_org_resolution_scope

router = APIRouter()


async def index_all():
    with pre_org_resolution_scope("index"):
        pass


@router.post("/index")
async def start(background: BackgroundTasks):
    background.add_task(index_all)
