"""Pure-ASGI middleware and FastAPI dependencies."""

from interlock.web.deadline import DeadlineMiddleware, Trip
from interlock.web.dependencies import current_org, scoped
from interlock.web.middleware import TenantMiddleware

__all__ = ["DeadlineMiddleware", "TenantMiddleware", "Trip", "current_org", "scoped"]
