"""Where the service finds its database: two login roles for the service, one for migrations."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields
from typing import Self

PREFIX = "UNION_STATION_"


@dataclass(frozen=True)
class Settings:
    """Addresses and role names; ``UNION_STATION_TENANT_DSN`` and so on in the environment."""

    tenant_dsn: str
    admin_dsn: str
    owner_dsn: str
    tenant_role: str = "us_app"
    admin_role: str = "us_admin"
    # The table of gates that all processes of the service share; empty for a table of each one's own.
    gates_file: str = ""
    # Opens the pages of those who run the service; empty for nobody.
    operator_key: str = ""

    @classmethod
    def from_environment(cls) -> Self:
        names = {field.name: PREFIX + field.name.upper() for field in fields(cls)}
        missing = [name for field, name in names.items() if field.endswith("dsn") and name not in os.environ]
        if missing:
            raise SystemExit(f"set {', '.join(missing)}, or run `make demo`, which starts a database and sets them")
        return cls(**{field: os.environ[name] for field, name in names.items() if name in os.environ})

    def environment(self) -> dict[str, str]:
        return {PREFIX + name.upper(): value for name, value in asdict(self).items()}
