"""`getattr` with a third argument."""


def org_of(request):
    return getattr(request.state, "org_id", 1)
