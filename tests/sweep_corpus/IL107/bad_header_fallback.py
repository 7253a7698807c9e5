"""A header with a hyphen, and `or`."""

from fastapi import Request


def org_of(request: Request) -> str:
    return request.headers.get("X-Org-ID") or "default"
