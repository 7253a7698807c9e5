"""What the two login roles may and may not be able to do, asked of the server itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from interlock.errors import RoleViolation

if TYPE_CHECKING:
    import asyncpg

# Both roles count: RESET ROLE leads from the current one back to the one that logged in.
_IDENTITY = """
SELECT pg_backend_pid() AS pid,
       current_user::text AS role,
       bool_or(r.rolsuper) AS superuser,
       bool_or(r.rolbypassrls) AS bypasses,
       ARRAY(SELECT o.rolname::text FROM pg_roles o
             WHERE (o.rolsuper OR o.rolbypassrls) AND o.rolname NOT IN (current_user, session_user)
               AND (pg_has_role(current_user, o.oid, 'MEMBER') OR pg_has_role(session_user, o.oid, 'MEMBER'))
             ORDER BY 1 LIMIT 5) AS reachable,
       ARRAY(SELECT c.oid::regclass::text FROM pg_class c
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $1 AND NOT a.attisdropped
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
               AND (pg_has_role(current_user, c.relowner, 'MEMBER') OR pg_has_role(session_user, c.relowner, 'MEMBER'))
             ORDER BY 1 LIMIT 5) AS owned,
       EXISTS (SELECT FROM unnest(ARRAY[$2, 'app.current_org_id']) AS s(name)
               WHERE coalesce(current_setting(s.name, true), '') <> '') AS preset,
       EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
               WHERE n.nspname = 'interlock_session' AND p.proname = 'hand_over' AND p.pronargs = 1
                 AND has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE')
                 AND (EXISTS (SELECT FROM pg_roles WHERE rolname = session_user AND rolbypassrls)
                      OR NOT (pg_has_role(session_user, p.proowner, 'MEMBER')
                              OR pg_has_role(session_user, n.nspowner, 'MEMBER')
                              OR has_schema_privilege(session_user, n.oid, 'CREATE')))) AS pipelines
FROM pg_roles r WHERE r.rolname IN (current_user, session_user)
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a session is, as the server sees it.

    Attributes:
        pid: the process that serves the session.
        pooled: the client was told of another process: there is a pooler in between.
        pipelines: the procedure of the pipelined mode is there, as this release calls it, granted, and not its own.

    """

    pid: int
    role: str
    superuser: bool
    bypasses: bool
    reachable: tuple[str, ...]
    owned: tuple[str, ...]
    preset: bool
    pooled: bool
    pipelines: bool


async def identify(connection: asyncpg.Connection, tenant_column: str, guc: str) -> Identity:
    """Ask the server who ``connection`` is and what it could become."""
    row = await connection.fetchrow(_IDENTITY, tenant_column, guc)
    fields: dict[str, Any] = dict(row or {})
    return Identity(
        **{**fields, "reachable": tuple(fields["reachable"]), "owned": tuple(fields["owned"])},
        pooled=connection.get_server_pid() != fields["pid"],
    )


def require_tenant_role(who: Identity, guc: str) -> None:
    """Raise unless the role is bound by row-level security whatever statement it runs.

    Raises:
        RoleViolation: it is a superuser, has BYPASSRLS, owns a tenant table, can become such a role, or its sessions
            start with a tenant already set.

    """
    if who.superuser:
        raise _violation(who, "is a superuser", f"ALTER ROLE {who.role} NOSUPERUSER, or log in with another role")
    if who.bypasses:
        raise _violation(who, "has BYPASSRLS", f"ALTER ROLE {who.role} NOBYPASSRLS, or log in with another role")
    if who.reachable:
        others = ", ".join(who.reachable)
        raise _violation(who, f"is a member of {others}, who bypass row-level security", f"REVOKE {others} FROM it")
    if who.owned:
        tables = ", ".join(who.owned)
        raise _violation(
            who, f"owns (or is a member of the owner of) {tables}", "give the tables an owner of their own"
        )
    if who.preset:
        raise _violation(
            who,
            f"starts its sessions with {guc} set, so that a reset would return to a tenant",
            f"remove the setting from server_settings, ALTER ROLE … SET and ALTER DATABASE … SET ({guc})",
        )


def require_admin_role(who: Identity) -> None:
    """Raise unless the role bypasses row-level security, as cross-tenant work needs.

    Raises:
        RoleViolation: it does not, and would silently see nothing.

    """
    if not (who.bypasses or who.superuser):
        raise RoleViolation(
            f"the admin role {who.role} does not bypass row-level security and would see no rows: "
            f"ALTER ROLE {who.role} BYPASSRLS, or check that admin_dsn is not the tenant's"
        )


def require_different(tenant: Identity, admin: Identity) -> None:
    """Raise if both pools log in as the same role.

    Raises:
        RoleViolation: they do.

    """
    if tenant.role == admin.role:
        raise RoleViolation(f"tenant_dsn and admin_dsn both log in as {tenant.role}: they must be two roles")


def _violation(who: Identity, what: str, remedy: str) -> RoleViolation:
    return RoleViolation(f"the tenant role {who.role} {what}: row-level security would not hold. {remedy}")
