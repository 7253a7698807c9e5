"""Get."""


def current(headers):
    return headers.get("workspace_id", 1)
