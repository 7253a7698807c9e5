"""Or."""


def current(request):
    return request.state.tenant_id or "default"
