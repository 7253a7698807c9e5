"""What tests do with a PostgreSQL server, whoever runs it: databases to copy and drop, statements as superuser."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class DatabaseServer(ABC):
    """A server that tests may make databases and roles on. ``password`` is that of the roles made there, if any."""

    password: str | None = None

    @property
    @abstractmethod
    def version(self) -> int:
        """The server's major version."""

    @abstractmethod
    def dsn(self, user: str = ..., database: str = ...) -> str:
        """The address for a user and a database; for the superuser and the maintenance database without."""

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database, as a file copy of ``template`` when one is named (about 30 ms)."""
        statement = f"CREATE DATABASE {quote_identifier(name)}"
        if template is not None:
            # The default strategy writes the copy through the log, which is slower for small templates.
            strategy = " STRATEGY file_copy" if self.version >= 15 else ""
            statement += f" TEMPLATE {quote_identifier(template)}{strategy}"
        self.execute(statement)

    def drop_database(self, name: str) -> None:
        """Drop a database, ending its connections."""
        self.execute(f"DROP DATABASE IF EXISTS {quote_identifier(name)} WITH (FORCE)")

    def execute(self, statement: str, *, database: str | None = None) -> None:
        """Run a statement as superuser from synchronous code, also under a running event loop."""
        run_in_thread(_execute(self.dsn(database=database) if database else self.dsn(), statement))


def quote_identifier(name: str) -> str:
    """Quote a name for SQL text (PostgreSQL, Lexical Structure, 4.1.1)."""
    if "\0" in name or not name:
        raise ValueError(f"not a name for a database object: {name!r}")
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """Quote a text for SQL, whatever ``standard_conforming_strings`` says."""
    doubled = text.replace("\\", "\\\\").replace("'", "''")
    return f" E'{doubled}'"


async def _execute(dsn: str, statement: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def run_in_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a loop of its own: the caller may already be inside a loop."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(asyncio.run(coroutine))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
