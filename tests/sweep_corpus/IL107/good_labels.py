"""Words for "none" in a log line, a label or a cache key, and the ids of special orgs."""

import logging
from uuid import UUID

from pydantic_settings import BaseSettings

logger = logging.getLogger(__name__)


class Settings(BaseSettings):
    platform_org_id: UUID = UUID("00000000-0000-0000-0000-000000000001")


def cache_key(task: str, org_id: int | None) -> str:
    return f"route:{task}:{org_id or 'platform'}"


def note(request, org_id=None):
    logger.info("request of %s", org_id or "-", extra={"tenant": request.headers.get("x-tenant-id", "unknown")})
