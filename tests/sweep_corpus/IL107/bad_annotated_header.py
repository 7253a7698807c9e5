"""`Annotated[…, Header()]` with a default."""

from typing import Annotated

from fastapi import FastAPI, Header

app = FastAPI()


@app.get("/notes")
async def notes(x_tenant_id: Annotated[str, Header()] = "acme"):
    return x_tenant_id
