"""Every error Interlock raises: one base class, typed subclasses with fields.

Messages never contain a secret or another tenant's data.
"""

from __future__ import annotations


class InterlockError(Exception):
    """Base of every error raised by Interlock."""


# --- hashing, targets


class CanonicalizationError(InterlockError, ValueError):
    """A payload has no canonical form.

    Attributes:
        path: where in the payload, as a JSON path (``$.items[3]``) or ``""`` for the whole.
        reason: a short machine-readable word such as ``"nan"`` or ``"depth"``.

    """

    def __init__(self, message: str, *, path: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.reason = reason


class GrammarError(InterlockError, ValueError):
    """A target grammar given to ``register_grammar`` is not valid."""


# --- dedup


class LifecycleError(InterlockError):
    """A transition that the lifecycle does not have, or a stale attempt.

    Attributes:
        from_: the state the proposal is in, or None if it could not be seen.
        to: the state asked for.

    """

    def __init__(self, message: str, *, from_: str | None = None, to: str | None = None) -> None:
        super().__init__(message)
        self.from_ = from_
        self.to = to


# --- tenancy


class TenantInvariantError(InterlockError):
    """Base of every refusal that protects the boundary between tenants."""


class ScopeMissing(TenantInvariantError):  # noqa: N818 - the design's name
    """A connection or statement was asked for outside any scope."""


class ScopeEnded(TenantInvariantError):  # noqa: N818
    """The scope in use has already ended."""


class ScopeConflict(TenantInvariantError):  # noqa: N818
    """A second tenant was entered inside a tenant, or a connection of another scope was used."""


class ScopeEscalation(TenantInvariantError):  # noqa: N818
    """``pre_org_resolution_scope`` was entered inside a tenant scope."""


class InvalidOrgId(TenantInvariantError, ValueError):  # noqa: N818
    """The value given as an org id cannot be one."""


class InvalidReason(TenantInvariantError, ValueError):  # noqa: N818
    """The reason of a ``pre_org_resolution_scope`` is missing or blank."""


class RoleViolation(TenantInvariantError):  # noqa: N818
    """A database role has rights that the pool it serves must not have (or lacks those it needs)."""


class PoolerDetected(TenantInvariantError):  # noqa: N818
    """The server is behind a pooler and the mode asked for cannot work there."""


class PolicyViolation(TenantInvariantError):  # noqa: N818
    """A row-level security policy lets rows through although no tenant is set.

    Attributes:
        tables: the tables concerned, as schema.name.

    """

    def __init__(self, message: str, *, tables: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.tables = tables


class PoolExhausted(InterlockError, TimeoutError):  # noqa: N818
    """No connection was ready in time; the message says of which pool."""


class TransactionRequired(TenantInvariantError):  # noqa: N818
    """Behind a pooler, a statement was sent outside ``.transaction()``."""


# --- schema, embedded PostgreSQL


class MigrationError(InterlockError):
    """``interlock.schema.migrate`` could not be applied."""


class EmbeddedPostgresError(InterlockError):
    """The embedded PostgreSQL could not be found, created or started."""


# --- testing


class CanaryRangeError(InterlockError, ValueError):
    """A part of a canary does not fit its digits.

    Attributes:
        part: ``"org"``, ``"endpoint"``, ``"field"`` or ``"serial"``.
        value: what was given.
        maximum: the largest value that fits.

    """

    def __init__(self, message: str, *, part: str = "", value: int = 0, maximum: int = 0) -> None:
        super().__init__(message)
        self.part = part
        self.value = value
        self.maximum = maximum


class HarnessError(InterlockError):
    """The isolation harness cannot run: the message says what to change."""


class IsolationLeak(InterlockError, AssertionError):  # noqa: N818 - it is the finding, not a fault of the harness
    """One org could see, change or infer something of another.

    Attributes:
        leak: the finding (``interlock.testing.Leak``): oracle, endpoint, transcript.

    """

    def __init__(self, message: str, *, leak: object = None) -> None:
        super().__init__(message)
        self.leak = leak


# --- sweep


class SweepError(InterlockError, ValueError):
    """A sweep was asked for something it cannot do: an unknown rule, an unreadable baseline."""
