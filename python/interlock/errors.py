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
        index: which payload of a batch, or None outside of one.

    """

    def __init__(self, message: str, *, path: str = "", reason: str = "", index: int | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.reason = reason
        self.index = index

    def in_batch(self, index: int) -> CanonicalizationError:
        """Return the same error, saying that it is about payload ``index`` of a batch."""
        return CanonicalizationError(f"payload {index}: {self}", path=self.path, reason=self.reason, index=index)


class GrammarError(InterlockError, ValueError):
    """A target grammar given to ``register_grammar`` is not valid.

    Attributes:
        place: where in it: ``"line 3, column 5"``, ``'verb "stop"'``, ``"pattern"``.

    """

    def __init__(self, message: str, *, place: str = "") -> None:
        super().__init__(message)
        self.place = place


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


class StaleAttempt(LifecycleError):  # noqa: N818 - names the fact
    """A worker reported on an execution that is no longer its own: its lease lapsed or another took over.

    Attributes:
        attempt: the fencing number the worker holds.

    """

    def __init__(
        self, message: str, *, from_: str | None = None, to: str | None = None, attempt: int | None = None
    ) -> None:
        super().__init__(message, from_=from_, to=to)
        self.attempt = attempt


class UnknownState(InterlockError, ValueError):  # noqa: N818 - names the fact
    """A word that is not a lifecycle state.

    Attributes:
        state: the word.

    """

    def __init__(self, message: str, *, state: str = "") -> None:
        super().__init__(message)
        self.state = state


class ProposalNotFound(InterlockError, LookupError):  # noqa: N818 - names the fact
    """No proposal of the current org has this id. Another org's id is answered the same way.

    Attributes:
        id: the id asked for.

    """

    def __init__(self, message: str, *, id: object = None) -> None:
        super().__init__(message)
        self.id = id


class ProposalTooLarge(InterlockError, ValueError):  # noqa: N818 - names the fact
    """The operative payload of a proposal, or its context, is larger than proposals may be.

    Attributes:
        size: bytes of the canonical form.
        limit: bytes allowed.

    """

    def __init__(self, message: str, *, size: int = 0, limit: int = 0) -> None:
        super().__init__(message)
        self.size = size
        self.limit = limit


class DedupIndexFull(InterlockError):  # noqa: N818 - names the fact
    """The index holds as many proposals in flight as it may; none of them is ever evicted.

    Attributes:
        capacity: proposals in flight it may hold.

    """

    def __init__(self, message: str, *, capacity: int = 0) -> None:
        super().__init__(message)
        self.capacity = capacity


class SnapshotError(InterlockError, ValueError):
    """Bytes given to ``DedupIndex.restore`` are not a snapshot, or not one that this index can hold."""


class StoreError(InterlockError):
    """PostgreSQL did not carry out a statement of the approval store.

    Attributes:
        retryable: whether the same call may succeed when made again.
        sqlstate: the five-character code, if the server answered.

    """

    def __init__(self, message: str, *, retryable: bool = False, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.sqlstate = sqlstate


class StoreConflict(StoreError):  # noqa: N818 - names the fact
    """The statement lost against a concurrent one and did nothing: make the call again."""


class StoreConnectionLost(StoreError):  # noqa: N818 - names the fact
    """The connection broke before the answer came: the statement may or may not have been carried out."""


# --- gates


class GateError(InterlockError):
    """A gate was used in a way it cannot serve."""


class GateLimitError(GateError, ValueError):
    """A gate's limit, window, budget or name means nothing.

    Attributes:
        field: the argument, such as ``"window"``.

    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class SharedGatesError(GateError, OSError):
    """The file of a ``SharedGates`` cannot be used.

    Attributes:
        path: the file.

    """

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


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


class ModeUnavailable(TenantInvariantError):  # noqa: N818
    """The mode that was asked for cannot work with this server, driver or schema."""


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
