"""`@app.middleware` in a factory."""

from fastapi import FastAPI
from interlock.tenancy import tenant_scope


def create_app():
    app = FastAPI()

    @app.middleware("http")
    async def tenancy(request, call_next):
        org = request.headers.get("x-org")
        if org is None:
            return await call_next(request)
        async with tenant_scope(org) as context:
            response = await call_next(request)
        response.headers["x-org"] = str(context.org_id)
        return response

    return app
