"""Interlock's own tables and functions, and the one way to create them.

The files are numbered, idempotent, and name the two roles as psql variables, so that
``psql -v tenant_role=app -v admin_role=admin -f 20_audit.sql`` runs them too.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING

from interlock.errors import MigrationError

if TYPE_CHECKING:
    from asyncpg import Connection

    from interlock.tenancy import Key

# Two migrations at once would both find an object missing; any constant does.
_MIGRATION_LOCK = 0x1A7E_810C


async def migrate(
    owner_connection: Connection, *, tenant_role: str, admin_role: str, scope_key: Key | None = None
) -> None:
    """Create or update Interlock's schema ``interlock``, in one transaction.

    Args:
        owner_connection: an asyncpg connection of the role that shall own the objects. It needs the right to
            create a schema in the database.
        tenant_role: the runtime role, which row-level security restricts.
        admin_role: the BYPASSRLS role for cross-tenant work.
        scope_key: the key of tamper-evident scopes, if they are used; it becomes valid beside the one before it.

    Raises:
        MigrationError: a role does not exist, or a statement failed; nothing was changed.

    """
    import asyncpg

    from interlock.tenancy import rotate_scope_key

    await _require_roles(owner_connection, tenant_role, admin_role)
    roles = {"tenant_role": tenant_role, "admin_role": admin_role}
    async with owner_connection.transaction():
        await owner_connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
        for name, text in schema_files():
            try:
                await owner_connection.execute(with_roles(text, roles))
            except asyncpg.PostgresError as error:
                raise MigrationError(f"{name}: {error}: nothing was changed") from error
        if scope_key is not None:
            await rotate_scope_key(owner_connection, scope_key)


def schema_files() -> list[tuple[str, str]]:
    """Return (name, text) of every numbered SQL file, in order."""
    files = [entry for entry in resources.files(__name__).iterdir() if re.fullmatch(r"\d\d_\w+\.sql", entry.name)]
    return [(entry.name, entry.read_text(encoding="utf-8")) for entry in sorted(files, key=lambda entry: entry.name)]


def with_roles(text: str, roles: dict[str, str]) -> str:
    """Put the roles in the place of psql's ``:"name"`` (an identifier) and ``:'name'`` (a literal)."""

    def value(match: re.Match[str]) -> str:
        quote, name = match.group(1), match.group(2)
        return quote + roles[name].replace(quote, quote * 2) + quote

    return re.sub(rf""":(["'])({"|".join(roles)})\1""", value, text)


async def _require_roles(connection: Connection, *roles: str) -> None:
    found = await connection.fetch("SELECT rolname FROM pg_roles WHERE rolname = ANY($1::text[])", list(roles))
    missing = sorted(set(roles) - {row["rolname"] for row in found})
    if missing:
        raise MigrationError(f"no such role: {', '.join(missing)}: create it first (CREATE ROLE … LOGIN)")
