"""Interlock: content-addressed proposals, gated emission, tenant scope, isolation as a property."""

from interlock._native import __version__
from interlock.errors import CanonicalizationError, InterlockError
from interlock.hashing import (
    ABSENT,
    JSONText,
    canonical_http,
    canonical_json,
    canonical_shell,
    database_operation_hash,
    hash_many,
    http_request_hash,
    json_hash,
    notification_hash,
    shell_command_hash,
)

__all__ = [
    "ABSENT",
    "CanonicalizationError",
    "InterlockError",
    "JSONText",
    "__version__",
    "canonical_http",
    "canonical_json",
    "canonical_shell",
    "database_operation_hash",
    "hash_many",
    "http_request_hash",
    "json_hash",
    "notification_hash",
    "shell_command_hash",
]
