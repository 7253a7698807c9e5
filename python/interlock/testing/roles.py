"""The three roles of a multi-tenant database: owner, runtime, admin."""

from __future__ import annotations

from dataclasses import dataclass

from interlock.testing.database_server import quote_identifier, quote_literal


@dataclass(frozen=True)
class Roles:
    """Names of the roles: who owns the tables, who serves requests under RLS, who works across tenants."""

    owner: str = "interlock_owner"
    app: str = "interlock_app"
    admin: str = "interlock_admin"

    def create_statements(self, password: str | None = None) -> list[str]:
        """SQL for a superuser that creates the roles that are missing, with the rights each must (not) have."""
        secret = f" PASSWORD {quote_literal(password)}" if password else ""
        rights = {
            self.owner: "LOGIN NOSUPERUSER NOBYPASSRLS",
            self.app: "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE",
            self.admin: "LOGIN NOSUPERUSER BYPASSRLS",
        }
        return [
            f"DO $do$ BEGIN CREATE ROLE {quote_identifier(role)} {flags}{secret}; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $do$"
            for role, flags in rights.items()
        ]
