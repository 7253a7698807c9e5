"""The fallback has a name."""

DEFAULT_ORG_ID = 1


async def current_org(request):
    return request.state.org_id or DEFAULT_ORG_ID
