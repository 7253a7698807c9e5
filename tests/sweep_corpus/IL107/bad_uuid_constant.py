"""A named UUID."""

from uuid import UUID

FALLBACK_TENANT = UUID("00000000-0000-0000-0000-000000000001")


async def tenant_of(request):
    tenant_id = request.headers.get("x-tenant-id", FALLBACK_TENANT)
    return tenant_id
