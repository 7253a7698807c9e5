"""A context variable with a default tenant."""

from contextvars import ContextVar

current_org_id: ContextVar[int] = ContextVar("current_org_id", default=1)
