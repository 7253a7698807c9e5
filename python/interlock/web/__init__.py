"""Pure-ASGI middleware and FastAPI dependencies."""

from interlock.web.dependencies import current_org, scoped
from interlock.web.middleware import TenantMiddleware

__all__ = ["TenantMiddleware", "current_org", "scoped"]
