"""A callable object as the dependency."""

from fastapi import APIRouter, Depends, Header
from interlock.tenancy import tenant_scope

router = APIRouter()


class Tenant:
    def __init__(self, header: str):
        self.header = header

    def __call__(self, request):
        with tenant_scope(request.headers[self.header]):
            yield


@router.get("/notes")
async def notes(_=Depends(Tenant("x-org"))):
    return []
