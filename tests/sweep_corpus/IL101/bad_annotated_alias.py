"""The parameter is annotated with an alias of `Annotated[Pool, …]`."""

from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, FastAPI

if TYPE_CHECKING:
    from asyncpg import Pool


def get_database() -> "Pool": ...


DatabaseDep = Annotated["Pool", Depends(get_database)]


async def seed(database: DatabaseDep):
    await database.execute("INSERT INTO plans DEFAULT VALUES")


async def boot():
    await seed(get_database())


app = FastAPI(on_startup=[boot])
