"""The user's own PostgreSQL server in place of the embedded one: ``--interlock-dsn`` or ``INTERLOCK_TEST_DSN``."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit, urlunsplit

from interlock.errors import EmbeddedPostgresError
from interlock.testing.database_server import DatabaseServer, run_in_thread


class UserServer(DatabaseServer):
    """A running server, of which only what is made here is removed again.

    Args:
        dsn: URI of a superuser, who creates databases and the roles that are missing. Roles are expected to have the
            password of this user; those created here get it.

    Raises:
        EmbeddedPostgresError: the address is no ``postgresql://`` URI, or names no user.

    """

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        if parts.scheme not in ("postgresql", "postgres") or not parts.username:
            raise EmbeddedPostgresError(
                "the DSN of the test server must be a URI with a user: postgresql://user:password@host:port/database"
            )
        self._parts = parts
        self.user = unquote(parts.username)
        self.password = unquote(parts.password) if parts.password else None
        self._version: int | None = None

    @property
    def version(self) -> int:
        """The server's major version."""
        if self._version is None:
            self._version = run_in_thread(_version(self.dsn()))
        return self._version

    def dsn(self, user: str = "", database: str = "") -> str:
        """The address for a user and a database; those of the DSN without."""
        place = self._parts.netloc.rpartition("@")[2]
        secret = f":{quote(self.password, safe='')}" if self.password else ""
        who = quote(user or self.user, safe="")
        path = f"/{quote(database, safe='')}" if database else self._parts.path
        return urlunsplit(("postgresql", f"{who}{secret}@{place}", path, self._parts.query, ""))


async def _version(dsn: str) -> int:
    import asyncpg

    connection = await asyncpg.connect(dsn)
    try:
        return int(connection.get_server_version().major)
    finally:
        await connection.close()
