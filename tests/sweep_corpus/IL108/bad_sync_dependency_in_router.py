"""A synchronous dependency of the router."""

from fastapi import APIRouter, Depends, Header
from interlock.tenancy import tenant_scope


def tenant(x_org: str = Header()):
    with tenant_scope(x_org):
        yield x_org


router = APIRouter(dependencies=[Depends(tenant)])
