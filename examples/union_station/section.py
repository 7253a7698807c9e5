"""What one part of the demonstration returns, and the client it drives the service with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from union_station.settings import Settings


@dataclass(frozen=True)
class Figure:
    """One measured value; ``ok`` says whether it is as it should be."""

    label: str
    value: object
    ok: bool = True


@dataclass
class Section:
    """The figures of one system, and lines worth reading as they are."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    transcript: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return bool(self.figures) and all(figure.ok for figure in self.figures)


@dataclass(frozen=True)
class Org:
    """A signed-up organisation; the key is shown once."""

    id: str
    api_key: str


@dataclass(frozen=True)
class Client:
    """Talks to the running service as any customer would."""

    http: httpx.AsyncClient
    settings: Settings
    progress: Callable[[str], None]

    async def create_org(self, name: str) -> Org:
        answer = await self.http.post("/orgs", json={"name": name})
        answer.raise_for_status()
        body = answer.json()
        return Org(id=body["org_id"], api_key=body["api_key"])

    def headers(self, org: Org) -> dict[str, str]:
        return {"authorization": f"Bearer {org.api_key}"}
