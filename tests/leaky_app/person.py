"""Somebody who uses the help desk with the key of one org."""

from __future__ import annotations

import json
import uuid
from typing import Any

from interlock.testing.client import AsgiClient
from interlock.testing.exchange import Request, Response

SECRET = "the secret of A"


class Person:
    """Somebody with the API key of one org."""

    def __init__(self, client: AsgiClient, org: dict[str, str]) -> None:
        self.client = client
        self.org_id = org["id"]
        self.key = org["key"]

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Request:
        named = {
            "authorization": f"Bearer {self.key}",
            **{key.replace("_", "-"): value for key, value in headers.items()},
        }
        path, _, query = path.partition("?")
        pairs = tuple(tuple(part.split("=", 1)) for part in query.split("&") if part)
        content = b"" if body is None else json.dumps(body).encode()
        return Request(method, path, pairs, tuple({**named, "content-type": "application/json"}.items()), content)  # type: ignore[arg-type]

    async def get(self, path: str, **headers: str) -> Response:
        return await self.client.send(self.request("GET", path, **headers))

    async def post(self, path: str, body: Any = None, **headers: str) -> Response:
        return await self.client.send(self.request("POST", path, body, **headers))

    async def customer(self, name: str = SECRET, email: str | None = None) -> str:
        address = email or f"{uuid.uuid4().hex}@example.com"
        return (await self.post("/customers", {"name": name, "email": address, "note": SECRET})).json["id"]

    async def ticket(self, title: str = SECRET) -> int:
        return (
            await self.post("/tickets", {"customer_id": await self.customer(), "title": title, "body": SECRET})
        ).json["id"]

    async def document(self, content: str = SECRET) -> str:
        return (await self.post("/documents", {"name": SECRET, "content": content})).json["id"]

    async def invoice(self) -> str:
        plan = (await self.get("/plans")).json[0]["id"]
        return (await self.post("/invoices", {"plan_id": plan, "memo": SECRET, "amount": 5})).json["id"]

    async def proposal(self, action: str = SECRET) -> Response:
        return await self.post("/proposals", {"action": action})
