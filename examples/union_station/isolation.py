"""Isolation as a property: the harness drives this service as two tenants and looks at every byte they get."""

from __future__ import annotations

import asyncio
import secrets
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from fastapi import APIRouter

from interlock.testing.harness import IsolationHarness
from interlock.testing.mutate import Mutation, mutations
from interlock.testing.report import Report
from union_station.database import create_tables
from union_station.section import Client, Figure, Section
from union_station.settings import Settings

router = APIRouter(prefix="/isolation", tags=["isolation"])

DATABASE = "union_station_isolation"
OPENED = "public.notes"


@router.get("/whoami")
async def whoami() -> dict[str, str]:
    """What the harness is driving."""
    return {"service": "union station"}


def build_harness(settings: Settings) -> IsolationHarness:
    """The harness over the whole service: nothing is listed, routes and payloads come from the application."""
    from union_station.app import create_app
    from union_station.orgs import key_digest

    async def create_org(name: str) -> dict[str, str]:
        api_key = secrets.token_urlsafe(24)
        admin = await asyncpg.connect(settings.admin_dsn)
        try:
            org_id = await admin.fetchval("INSERT INTO orgs (name) VALUES ($1) RETURNING org_id", name)
            await admin.execute(
                "INSERT INTO api_keys (key_digest, org_id) VALUES ($1, $2)", key_digest(api_key), org_id
            )
        finally:
            await admin.close()
        return {"id": str(org_id), "api_key": api_key}

    return IsolationHarness(
        create_app(settings),
        create_org=create_org,
        headers_for=lambda org: {"authorization": f"Bearer {org['api_key']}"},
        admin=settings.admin_dsn,
        vacuous={
            "/gates/legacy (function)": "an ASGI function with one constant answer, behind a deadline",
            "GET /gates/report": "totals of all tenants, for those who run the service alone",
        },
    )


async def section(client: Client) -> Section:
    """The property over every route; then one policy is opened, and the harness must find the leak."""
    settings = await create_own_database(client.settings)
    client.progress("isolation: two tenants over every route, then with one policy opened")
    clean, opened, opening, restored = await asyncio.to_thread(_run, settings)
    leak = opened.leaks[0] if opened.leaks else None
    return Section(
        title="Isolation as a property",
        figures=[
            Figure("routes enumerated", len(clean.endpoints), ok=len(clean.endpoints) > 0),
            Figure("requests of two tenants", clean.coverage.requests, ok=clean.coverage.requests > 0),
            Figure("leaks", len(clean.leaks), ok=not clean.leaks),
            Figure("routes that prove nothing", len(clean.vacuous), ok=not clean.vacuous),
            Figure(f"leak found with the policy of {OPENED} opened", leak is not None, ok=leak is not None),
            Figure("policy restored", restored, ok=restored),
        ],
        transcript=[
            *(line for one in (*clean.leaks, *clean.vacuous) for line in str(one).splitlines()),
            f"{opening.apply};",
            *(str(leak).splitlines() if leak else ["no leak was found"]),
        ],
    )


def _run(settings: Settings) -> tuple[Report, Report, Mutation, bool]:
    """Both runs on one start of the service: it would refuse to start with a policy that lets everything through."""
    with build_harness(settings) as harness:
        clean = harness.run(max_examples=2, seed=7, max_seconds=None)
        opening = next(one for one in asyncio.run(policies(settings)) if one.table == OPENED)
        asyncio.run(_execute(settings, opening.apply))
        try:
            opened = harness.run(max_examples=1, seed=7, max_seconds=None)
        finally:
            asyncio.run(_execute(settings, opening.restore))
    return clean, opened, opening, opening in asyncio.run(policies(settings))


async def policies(settings: Settings) -> list[Mutation]:
    owner = await asyncpg.connect(settings.owner_dsn)
    try:
        return await mutations(owner, tables=False)
    finally:
        await owner.close()


async def _execute(settings: Settings, statement: str) -> None:
    owner = await asyncpg.connect(settings.owner_dsn)
    try:
        await owner.execute(statement)
    finally:
        await owner.close()


async def create_own_database(settings: Settings) -> Settings:
    """A second database on the same server, migrated alike: the live service must not see a policy opened."""
    # interlock: ok it makes a database of its own, as the superuser of the embedded server
    superuser = await asyncpg.connect(settings.owner_dsn, user="postgres", database="postgres")
    try:
        await superuser.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        await superuser.execute(f"CREATE DATABASE {DATABASE} OWNER {urlsplit(settings.owner_dsn).username}")
        await superuser.execute(f"REVOKE TEMPORARY ON DATABASE {DATABASE} FROM PUBLIC")
    finally:
        await superuser.close()
    own = Settings(
        *(_in_database(dsn) for dsn in (settings.tenant_dsn, settings.admin_dsn, settings.owner_dsn)),
        tenant_role=settings.tenant_role,
        admin_role=settings.admin_role,
    )
    await create_tables(own)
    return own


def _in_database(dsn: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{DATABASE}"))
