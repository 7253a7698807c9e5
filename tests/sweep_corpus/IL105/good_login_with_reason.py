"""Sign-up has no org yet, and says so."""

from fastapi import APIRouter, Request
from interlock.tenancy import pre_org_resolution_scope

router = APIRouter()


@router.post("/sign-up")
async def sign_up(request: Request):
    # interlock: ok nobody has an org before signing up
    with pre_org_resolution_scope("sign-up"):
        return await request.app.state.pools.fetchval("INSERT INTO orgs DEFAULT VALUES RETURNING id")
