"""The scope ends before each yield, or the consumer opens it; managers, fixtures and lifespans may hold it."""

import contextlib

import pytest
from fastapi import APIRouter, Depends, FastAPI
from interlock.tenancy import pre_org_resolution_scope, tenant_scope


async def pages(pools, org):
    for page in range(3):
        async with tenant_scope(org):
            rows = await pools.fetch("SELECT * FROM notes OFFSET $1", page)
        yield rows


@contextlib.contextmanager
def system():
    with pre_org_resolution_scope("system"):
        yield


async def tenant():
    async with tenant_scope(1):
        yield


class Scopes:
    @classmethod
    @contextlib.asynccontextmanager
    async def for_org(cls, org):
        async with tenant_scope(org):
            yield


def _plain(org):
    with tenant_scope(org):
        yield


plain = contextlib.contextmanager(_plain)


@pytest.fixture
def scoped_fixture():
    with tenant_scope(1):
        yield


async def lifespan(app):
    with pre_org_resolution_scope("start-up"):
        yield


app = FastAPI(lifespan=lifespan)
router = APIRouter(dependencies=[Depends(tenant)])
