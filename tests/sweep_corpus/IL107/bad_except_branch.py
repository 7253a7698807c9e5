"""The fallback is in the exception handler."""


def org_of(claims):
    try:
        org_id = int(claims["org_id"])
    except (KeyError, ValueError):
        org_id = 1
    return org_id
