"""A dataclass field."""

from dataclasses import dataclass, field


@dataclass
class Context:
    user: str
    tenant_id: str = field(default="main")
