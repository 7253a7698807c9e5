# Generated from the Rust sources by `make stubs`; do not edit.
"""
Private native module of the package `interlock`; import `interlock` instead.
"""

from _typeshed import Incomplete, SupportsGetItem
from os import PathLike
from pathlib import Path
from typing import Any, Final, SupportsFloat, SupportsIndex, final
from typing_extensions import disjoint_base

__all__ = [
    "CANON_VERSION",
    "MAX_PAYLOAD_BYTES",
    "__version__",
    "Absent",
    "Action",
    "BreakGlass",
    "CanaryHit",
    "Decision",
    "DedupDecision",
    "DedupIndex",
    "DefaultEventBudget",
    "EmptyGate",
    "EventTotals",
    "FireOnce",
    "FreshRoot",
    "Gate",
    "GateStats",
    "Gates",
    "HashBatch",
    "JSONText",
    "Key",
    "ManualClock",
    "Proposal",
    "ReplyProtocol",
    "Scope",
    "SharedGates",
    "Suppression",
    "TenantContext",
    "Transition",
    "actions",
    "canonical_http",
    "canonical_json",
    "canonical_org_id",
    "canonical_shell",
    "current_frame",
    "current_org_id",
    "current_scope",
    "database_operation_hash",
    "default_gates",
    "docker_logical_key",
    "empty_call",
    "encode_canary",
    "fire_once",
    "forget_counts_after_fork",
    "frame_allows",
    "http_request_hash",
    "json_hash",
    "notification_hash",
    "pre_org_resolution_scope",
    "register_grammar",
    "require_frame",
    "reset_fire_once",
    "scan_canaries",
    "scope_key_pads",
    "shell_command_hash",
    "should_emit",
    "tenant_scope",
    "unregister_grammar",
    "voidforge_docker_logical_key",
    "voidforge_http_request_hash",
    "voidforge_shell_command_hash",
    "why_shell_is_kept",
]

CANON_VERSION: Final[int]
"""
Which release of the canonical forms makes the hashes.
"""

MAX_PAYLOAD_BYTES: Final[int]
"""
The most bytes of a canonical form and its context.
"""

__version__: Final[str]
"""
The version of the crate this module was built from.
"""

@final
class Absent:
    """
    The type of `ABSENT`: the request has no body, the operation no values. `None` is a value.
    """
    def __new__(cls, /) -> Absent: ...
    def __reduce__(self, /) -> str:
        """
        Copies and pickles are the one object, by its name in the module.
        """
    def __repr__(self, /) -> str: ...

@final
class Action:
    """
    One operations command found in a command line: what is done to what, and where.

    Immutable, hashable, picklable. Made by `actions`.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(
        self, /
    ) -> tuple[
        Any,
        tuple[str, str, str, list[str], list[str], dict[str, str | list[str]], bool],
    ]:
        """
        Pickles as the arguments of `_restored`.
        """
    def __repr__(self, /) -> str: ...
    @staticmethod
    def _restored(
        tool: str,
        verb: str,
        verb_class: str,
        targets: SupportsGetItem[int, str],
        objects: SupportsGetItem[int, str],
        scope: dict[str, str | SupportsGetItem[int, str]],
        dynamic: bool,
    ) -> Action: ...
    @property
    def dynamic(self, /) -> bool:
        """
        The command acts on something that its text does not name.
        """
    @property
    def logical_keys(self, /) -> tuple:
        """
        `verb:object` or `verb:object@scope` for each target.
        """
    @property
    def scope(self, /) -> dict:
        """
        Where the targets live, as far as the command says: a new dict of str, or of list of str for
        options that add up.
        """
    @property
    def target_keys(self, /) -> tuple:
        """
        The logical keys without the verb: equal for two actions on one object.
        """
    @property
    def targets(self, /) -> tuple:
        """
        The names of the targets as the tool means them: `web`, `pod/x`, `nginx.service`.
        """
    @property
    def tool(self, /) -> str:
        """
        The tool without its path: `docker`, `docker compose`, `kubectl`.
        """
    @property
    def verb(self, /) -> str:
        """
        The verb in its main spelling: `stop`, `rollout restart`; empty if it cannot be known.
        """
    @property
    def verb_class(self, /) -> str:
        """
        What the verb does: `start`, `stop`, `restart`, `pause`, `resume`, `create`, `delete`,
        `scale`, `update`, `execute`, `read` or `other`.
        """

@final
class BreakGlass:
    """
    A capability, made at start-up, to open `pre_org_resolution_scope` inside a tenant's scope.
    """
    def __new__(cls, /, name: Any) -> BreakGlass:
        """
        Names the capability. Raises `ScopeEscalation` inside a tenant scope: what could be made there
        would be no capability.
        """
    def __repr__(self, /) -> str: ...

@final
class CanaryHit:
    """
    One token found by `scan_canaries`.
    """
    @property
    def encoding(self, /) -> str:
        """
        "raw", "escaped", "base64" or "hex".
        """
    @property
    def endpoint(self, /) -> int | None:
        """
        Index of the endpoint it was sent to; None if the token was cut.
        """
    @property
    def field(self, /) -> int | None:
        """
        Index of the field it was put in; None if the token was cut.
        """
    @property
    def org(self, /) -> int:
        """
        Index of the org that wrote it.
        """
    @property
    def serial(self, /) -> int | None:
        """
        Which write it was; None if the token was cut.
        """
    @property
    def start(self, /) -> int:
        """
        Where in the scanned bytes.
        """

@final
class Decision:
    """
    The answer of `Gate.check`; true if the emission may happen.
    """
    def __bool__(self, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def allowed(self, /) -> bool:
        """
        Whether the emission may happen.
        """
    @property
    def first_suppressed_at(self, /) -> float | None:
        """
        When the first of them was, in seconds of the gate's clock.
        """
    @property
    def reason(self, /) -> str:
        """
        `"allowed"`, `"limit"` (the key's own), `"budget"` (the event's), or `"muted"` (the limit is 0).
        """
    @property
    def retry_after(self, /) -> float | None:
        """
        Seconds until the same call would be allowed; None is never.
        """
    @property
    def saturated(self, /) -> bool:
        """
        Whether the count stands for so many or more: it has come to the table's `max_count`.
        """
    @property
    def suppressed_before(self, /) -> int:
        """
        How many were suppressed before this one since somebody was last told; 0 if denied.
        """

@final
class DedupDecision:
    """
    What became of one proposal. A duplicate never grants authority.

    `reason` is `"new"`, `"in_flight"`, or `"cooldown"` where the same content ended recently. `collapsed_into` is the
    row a duplicate collapsed into. `logical_cluster` are rows in flight with one of its logical keys, `related` those
    on one of its targets with another verb, both oldest first and empty for a duplicate. `stored` is the row that now
    stands for the proposal, new or collapsed into; None from `dedup_proposals`, which stores nothing.
    """
    def __eq__(self, other: object, /) -> bool: ...
    def __new__(
        cls,
        /,
        duplicate: bool,
        *,
        collapsed_into: Any | None = None,
        logical_cluster: tuple | None = None,
        related: tuple | None = None,
        reason: str | None = None,
        stored: Any | None = None,
    ) -> DedupDecision: ...
    def __repr__(self, /) -> str: ...
    @property
    def collapsed_into(self, /) -> Any:
        """
        The row it collapsed into, or None.
        """
    @property
    def duplicate(self, /) -> bool:
        """
        Whether it collapsed into a row that was there.
        """
    @property
    def logical_cluster(self, /) -> tuple:
        """
        Rows in flight with one of its logical keys.
        """
    @property
    def reason(self, /) -> str:
        """
        `"new"`, `"in_flight"` or `"cooldown"`.
        """
    @property
    def related(self, /) -> tuple:
        """
        Rows in flight on one of its targets with another verb.
        """
    @property
    def stored(self, /) -> Any:
        """
        The row that now stands for the proposal, or None if nothing was stored.
        """

@final
class DedupIndex:
    """
    Proposals in flight in this process: equal ones collapse while one is pending, executing or interrupted.

    Any number of threads may use it. Memory is bounded: entries in flight are never evicted, so a full index raises
    `DedupIndexFull`; of the ended ones, those that ended earliest are forgotten first.

    `lease`: how long an entry may be pending or executing, in seconds or as a timedelta; None for ever.
    `cooldown`: how long a completed or cancelled entry still suppresses equal ones; None for not at all.
    `capacity`: how many may be in flight, 4,194,304 if None.
    `clock`: a `ManualClock`, or a callable that returns integer nanoseconds; None for the system's.

    `org_id` is that of the current scope unless given, and never another one than that of a tenant scope.
    """
    def __bool__(self, /) -> bool: ...
    def __len__(self, /) -> int:
        """
        How many entries are in flight, those included whose lapse nobody has acted on yet.
        """
    def __new__(
        cls,
        /,
        *,
        lease: Any | None = None,
        cooldown: Any | None = None,
        capacity: Any | None = None,
        clock: Any | None = None,
    ) -> DedupIndex: ...
    def expire(self, /) -> tuple:
        """
        Lets lapsed leases lapse, and returns whose: pending entries expire, executing ones are interrupted. In a
        tenant scope, those of other orgs lapse as well and are not returned.
        """
    def get(self, /, id: Any, *, org_id: Incomplete = ...) -> Any | None:
        """
        The entry with this id while it is in flight or remembered, or None; None as well for another org's.
        """
    def in_flight(self, /, *, org_id: Incomplete = ...) -> tuple:
        """
        The entries in flight, oldest first: of one org, or of all where neither scope nor `org_id` says which.
        """
    def propose(
        self,
        /,
        proposal: Proposal,
        *,
        formerly: Proposal | None = None,
        org_id: Incomplete = ...,
    ) -> DedupDecision:
        """
        Holds a proposal unless an equal one is in flight or cooling down, and says which.

        `formerly` is the same action as an earlier release described it, which gave it another identity: it is a
        duplicate under either.

        Raises `DedupIndexFull`, `ScopeMissing` in `pre_org_resolution_scope`, which is no org, and `ValueError` if
        `formerly` is of another kind.
        """
    def restore(self, /, snapshot: bytes) -> None:
        """
        Replaces every entry by those of a snapshot, or changes nothing and raises `SnapshotError` or `DedupIndexFull`.
        """
    def snapshot(self, /) -> bytes:
        """
        Every entry as bytes, for `restore`. Each is as it was at one moment; not all at the same one.
        """
    def transition(
        self,
        /,
        id: Any,
        to: str,
        *,
        attempt: SupportsIndex | None = None,
        org_id: Incomplete = ...,
    ) -> Any:
        """
        Moves an entry to another state. A worker gives the `attempt` of the entry it began to execute.

        Raises `UnknownState`, `ProposalNotFound`, `StaleAttempt`, and `LifecycleError` for a transition there is not.
        """

@final
class DefaultEventBudget:
    """
    Stands for the event budget that a gate has unless told otherwise: the larger of 600 emissions
    in 60 s and the gate's own rate.
    """
    def __new__(cls, /) -> DefaultEventBudget: ...
    def __repr__(self, /) -> str: ...

@final
class EmptyGate:
    """
    Does nothing with a key: what any native method of the same signature costs.
    """
    def __new__(cls, /) -> EmptyGate: ...
    def allow(self, /, subkey: str | None = None) -> bool:
        """
        Do nothing.
        """

@final
class EventTotals:
    """
    Totals of one event.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def emitted(self, /) -> int:
        """
        Emissions allowed.
        """
    @property
    def suppressed(self, /) -> int:
        """
        Emissions suppressed.
        """

@final
class FireOnce:
    """
    Fires once for each subkey, until it is reset. Made by `Gates.fire_once`.
    """
    def __repr__(self, /) -> str: ...
    @property
    def event(self, /) -> str: ...
    def fire(self, /, subkey: str | None = None) -> bool:
        """
        Whether this is the first call since the last reset; if not, it is counted as suppressed.
        """
    def reset(self, /, subkey: str | None = None) -> bool:
        """
        Arm it again at once, also after failed bodies; whether it had fired.
        """
    def suppressed(self, /, subkey: str | None = None) -> int:
        """
        How many calls were suppressed since somebody was last told.
        """
    def tag(self, /, subkey: str | None = None) -> dict:
        """
        Fields for `extra=` of the line: event, subkey, and what was suppressed before it, once.
        """
    def transition(self, /, subkey: str | None = None) -> Transition:
        """
        `with gate.transition() as fired:` (or `async with`): fires, and if the body raises or is
        cancelled, fires again after a pause of 1 s, doubling to 60 s.

        Calls during the body and the pause are suppressed and counted. A body that ends well, or
        `reset`, ends the doubling.
        """

@final
class FreshRoot:
    """
    Runs its block from a fresh root, as if no scope had been entered, then restores what was.
    """
    def __enter__(self, /) -> None: ...
    def __exit__(self, /, *_exception) -> None: ...
    def __new__(cls, /) -> FreshRoot: ...

@final
class Gate:
    """
    Decides for one event and its subkeys. Made by `Gates.window` and `Gates.rate`.
    """
    def __repr__(self, /) -> str: ...
    def allow(self, /, subkey: str | None = None) -> bool:
        """
        Whether one more emission may happen; if not, it is counted as suppressed.

        The count of what was suppressed before stays for `check`, `tag` or `drain`.
        """
    def check(self, /, subkey: str | None = None) -> Decision:
        """
        The same as `allow`, with the reason, and when allowed what was suppressed before, once.
        """
    @property
    def event(self, /) -> str: ...
    def suppressed(self, /, subkey: str | None = None) -> int:
        """
        How many emissions were suppressed since somebody was last told.
        """
    def tag(self, /, subkey: str | None = None) -> dict:
        """
        Fields for `extra=` of the line that was allowed: event, subkey, and what was suppressed
        before it, once.
        """

@final
class GateStats:
    """
    Totals, and the state of a table.
    """
    def __repr__(self, /) -> str: ...
    @property
    def capacity(self, /) -> int:
        """
        How many places there are.
        """
    @property
    def emitted(self, /) -> int:
        """
        Emissions allowed.
        """
    @property
    def events(self, /) -> dict[str, EventTotals]:
        """
        Totals by event.
        """
    @property
    def evicted(self, /) -> int:
        """
        Keys that lost their place to another.
        """
    @property
    def fire_once_keys(self, /) -> int:
        """
        Fire-once keys that have a place in the table.
        """
    @property
    def keys(self, /) -> int:
        """
        Keys of windows and rates that have a place in the table.
        """
    @property
    def live_evicted(self, /) -> int:
        """
        Of these, how many still had a window running.
        """
    @property
    def suppressed(self, /) -> int:
        """
        Emissions suppressed. Emitted and suppressed together are the calls.
        """
    @property
    def untracked(self, /) -> int:
        """
        Calls of keys that found no place: judged by the event's budget alone, or fired again.
        """

@disjoint_base
class Gates:
    """
    A table of gates in the memory of this process, of fixed size.

    `max_keys` is how many keys it tells apart. `clock` is None for the system's monotonic clock, a
    `ManualClock`, or a callable that returns integer nanoseconds. `max_count` is where the suppressed
    count of one key stays until it is reported; by default 2**44 - 1.

    Raises `GateLimitError` (a `ValueError`) if `max_keys` is not from 1 to 67,108,864, or `max_count`
    not from 1 to 2**44 - 1.
    """
    def __new__(
        cls,
        /,
        *,
        max_keys: Incomplete = ...,
        clock: Any | None = None,
        max_count: Any | None = None,
    ) -> Gates: ...
    def clear(self, /) -> None:
        """
        Forget every key. Counts not yet reported stay for `drain`.
        """
    def drain(self, /) -> list[Suppression]:
        """
        Hand over what was suppressed since it was last reported, once, sorted by event and subkey.
        """
    def fire_once(
        self,
        /,
        event: str,
        *,
        ttl: SupportsFloat | SupportsIndex | None = None,
        per_tenant: bool = False,
    ) -> FireOnce:
        """
        A gate that fires once for each subkey, until it is reset or `ttl` seconds have passed.

        Raises `GateLimitError` (a `ValueError`).
        """
    def rate(
        self,
        /,
        event: str,
        max_per_window: Any,
        window: SupportsFloat | SupportsIndex,
        *,
        burst: Any | None = None,
        event_budget: Incomplete = ...,
        per_tenant: bool = False,
    ) -> Gate:
        """
        A gate that lets `max_per_window` emissions of each subkey pass in `window` seconds, evenly:
        the generic cell rate algorithm (GCRA) in integer nanoseconds, a true token bucket.

        Without `burst` an idle subkey may emit `max_per_window` at once. With it, at most `burst`
        at once, and at most `max_per_window` in any stretch of `window` seconds. The rest is as
        for `window`.

        Raises `GateLimitError` (a `ValueError`).
        """
    def stats(self, /) -> GateStats:
        """
        Totals of each event, and the state of the table. Reads the whole table.
        """
    def window(
        self,
        /,
        event: str,
        max_per_window: Any,
        window: SupportsFloat | SupportsIndex,
        *,
        event_budget: Incomplete = ...,
        per_tenant: bool = False,
    ) -> Gate:
        """
        A gate that lets `max_per_window` emissions of each subkey pass in a window of `window`
        seconds.

        The window opens with the first call that is allowed after the last one ended; 0 mutes and
        counts. `event` is a constant in code. `event_budget` bounds all subkeys together:
        `(emissions, seconds)`, a number of emissions in the same window, None for no bound; by
        default the larger of 600 in 60 s and the gate's own rate. With `per_tenant` the keys and
        the budget are separate for each org of the current scope.

        Raises `GateLimitError` (a `ValueError`).
        """

@final
class HashBatch:
    """
    The payloads of one `hash_many`, and how far it has come.
    """
    def __new__(cls, /, kind: str, payloads: Any) -> HashBatch: ...
    def digest(self, /) -> Any:
        """
        Digest the chunk on a thread of the runtime. Returns an `asyncio.Future` of the list of hashes.
        """
    @property
    def done(self, /) -> bool:
        """
        Whether all payloads have been handed to `digest`.
        """
    def read(self, /) -> bool:
        """
        Read one slice of the payloads. Returns whether the chunk has room for more of them.
        """

@final
class JSONText:
    """
    JSON text that stands for the value it denotes: `JSONText('{"a": 1}')` is the body `{"a": 1}`.

    The text is parsed when it is hashed. Integers keep every digit, floats round to the nearest
    double, a repeated name or a lone surrogate is an error. Bytes must be UTF-8.
    """
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, text: Any) -> JSONText: ...
    def __reduce__(self, /) -> tuple[type, tuple[Any]]: ...
    def __repr__(self, /) -> str:
        """
        Without the text itself: it may be long, or secret.
        """
    @property
    def text(self, /) -> Any:
        """
        The text as given.
        """

@final
class Key:
    """
    A secret that signs the org of a session. Its repr, and everything else about it, hides the secret.

    `secret`: at least 32 random bytes, or a str whose UTF-8 bytes are used as they are
    (`openssl rand -hex 32`). Raises `ValueError` if it is shorter, `TypeError` if it is neither.
    """
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __new__(cls, /, secret: Any) -> Key: ...
    def __reduce__(self, /) -> None:
        """
        A copy in a pickle would be a copy of the secret.
        """
    def __repr__(self, /) -> str: ...
    @property
    def id(self, /) -> str:
        """
        16 hexadecimal digits that name the key and reveal nothing of it.
        """
    def seal(
        self, /, pid: SupportsIndex, org_id: Any, expires_at: SupportsIndex
    ) -> str:
        """
        The value of the setting `interlock.seal`: valid for `org_id` in the session of backend `pid`
        until `expires_at` (whole seconds since the epoch). Raises `InvalidOrgId`.
        """

@final
class ManualClock:
    """
    A clock that only its owner moves, for tests. `start` is in seconds.
    """
    def __new__(cls, /, start: SupportsFloat | SupportsIndex = 0.0) -> ManualClock: ...
    def __repr__(self, /) -> str: ...
    def advance(self, /, seconds: SupportsFloat | SupportsIndex) -> None:
        """
        Move it by `seconds`, which may be negative. It does not go below 0.
        """
    @property
    def now(self, /) -> float:
        """
        What it shows, in seconds.
        """
    @property
    def now_ns(self, /) -> int:
        """
        What it shows, in nanoseconds.
        """
    def set(self, /, seconds: SupportsFloat | SupportsIndex) -> None:
        """
        Set it to `seconds`, backwards too.
        """

@final
class Proposal:
    """
    One action somebody wants done: its kind, its operative payload in canonical form, and the context it would run in.

    The identity is all 32 bytes of SHA-256 over the canonical form, and over the context where one is given:
    `\\0interlock.context\\0` + `canonical_json(context)` + `\\0` + canonical form. No canonical form starts with NUL.
    `display_id` is a label and never part of it: what a database cannot store is replaced, what is too long is cut.

    Made by `shell`, `argv`, `http`, `database`, `notification`, `tool` or `custom`. Each raises `CanonicalizationError`
    for a payload without a canonical form, and `ProposalTooLarge` for one above `MAX_PAYLOAD_BYTES`.
    """
    def __repr__(self, /) -> str:
        """
        Without the payload: it may hold secrets.
        """
    @staticmethod
    def argv(
        arguments: Any, *, display_id: Any | None = None, context: Any | None = None
    ) -> Proposal:
        """
        A program and its arguments, run without a shell.
        """
    @property
    def canonical(self, /) -> bytes:
        """
        The canonical form, itself a valid payload of this kind.
        """
    @property
    def canonical_context(self, /) -> bytes | None:
        """
        The canonical JSON of the context, or None.
        """
    @property
    def cmd_hash(self, /) -> str:
        """
        For people: 12 hexadecimal digits of the digest of the canonical form alone, without the context.
        """
    @property
    def content_hash(self, /) -> str:
        """
        The identity: 64 hexadecimal digits.
        """
    @property
    def context(self, /) -> dict | None:
        """
        The context it was given, or None. It counts in the identity.
        """
    @staticmethod
    def custom(
        kind: str,
        payload: Any,
        *,
        display_id: Any | None = None,
        context: Any | None = None,
    ) -> Proposal:
        """
        An action of your own kind; every field of `payload` counts.
        """
    @staticmethod
    def database(
        table: str,
        primary_key: Any,
        operation: str,
        values: Incomplete = ...,
        *,
        display_id: Any | None = None,
        context: Any | None = None,
    ) -> Proposal:
        """
        A write to one row. `values` may be left out for a delete only, since nothing else says what it does.
        """
    @property
    def display_id(self, /) -> str | None:
        """
        The proposer's label.
        """
    @staticmethod
    def http(
        method: str,
        path: str,
        body: Incomplete = ...,
        *,
        display_id: Any | None = None,
        context: Any | None = None,
    ) -> Proposal:
        """
        An HTTP request; the host, when not in the path, belongs in `context`.
        """
    @property
    def kind(self, /) -> str:
        """
        `"shell"`, `"http"`, … or the custom kind.
        """
    @property
    def logical_keys(self, /) -> tuple:
        """
        `verb:target` of every operations command in a shell command or argv, in order, each once.
        """
    @staticmethod
    def notification(
        recipient: str,
        channel: str,
        message: str,
        *,
        display_id: Any | None = None,
        context: Any | None = None,
    ) -> Proposal:
        """
        A message to somebody.
        """
    @staticmethod
    def shell(
        command: str, *, display_id: Any | None = None, context: Any | None = None
    ) -> Proposal:
        """
        A command line for `sh -c`.
        """
    @staticmethod
    def tool(
        name: str,
        arguments: Any,
        *,
        display_id: Any | None = None,
        context: Any | None = None,
    ) -> Proposal:
        """
        A call of a tool, with every argument it is called with.
        """

@final
class ReplyProtocol:
    """
    Stands between a transport and asyncpg's protocol and takes out the answers to what was written ahead.

    `on_failure(during, sqlstate)` is called once, with `"prelude"` or `"reset"` and a code or None, when the
    session must be closed; from then on nothing reaches the driver.
    """
    def __getattr__(self, name: str, /) -> Any: ...
    def __new__(cls, /, inner: Any, on_failure: Any) -> ReplyProtocol: ...
    @property
    def awaits_reset(self, /) -> bool:
        """
        Whether a reset is unanswered.
        """
    def connection_lost(self, /, error: Any) -> None: ...
    def connection_made(self, /, transport: Any) -> None: ...
    def data_received(self, /, data: Any) -> None: ...
    def eof_received(self, /) -> Any: ...
    def expect_prelude(self, /, completes: SupportsIndex) -> None:
        """
        Announces a prelude of `completes` commands, about to be written without Sync.
        """
    def expect_reset(self, /) -> None:
        """
        Announces a reset, about to be written with Sync.
        """
    def pause_writing(self, /) -> None: ...
    def resume_writing(self, /) -> None: ...
    def take_prepared_by_sql(self, /) -> bool:
        """
        Whether statements were prepared or dropped through SQL since the last call.
        """
    def take_reported(self, /) -> bool:
        """
        Whether the server reported the value of a setting since the last call.
        """
    @property
    def unanswered(self, /) -> int:
        """
        How many preludes and resets are unanswered.
        """
    def when_settled(self, /, callback: Any) -> None:
        """
        Calls `callback()` once, when nothing is unanswered any more.
        """

@final
class Scope:
    """
    A scope to be entered: `with`, `async with`, or a decorator (a fresh frame for each call).

    One object may be entered again, also while it is entered: each entry has its own frame.
    """
    def __aenter__(self, /) -> Any:
        """
        Enters at once: nothing is awaited, so the scope is visible in the task that asked for it.
        """
    def __aexit__(
        self,
        /,
        exc_type: Any | None = None,
        exc: Any | None = None,
        traceback: Any | None = None,
    ) -> Any: ...
    def __call__(self, /, function: Any) -> Any:
        """
        Decorates a function or an async function; a generator is refused with a `TypeError`.
        """
    def __enter__(self, /) -> TenantContext: ...
    def __exit__(
        self,
        /,
        exc_type: Any | None = None,
        exc: Any | None = None,
        traceback: Any | None = None,
    ) -> None: ...
    def fresh(self, /) -> Scope:
        """
        The same scope, not entered.
        """

@final
class SharedGates(Gates):
    """
    `Gates` in a memory-mapped file: one quota for all workers of a host, forked or spawned, exact
    and without locks.

    All workers give the same `path` and `max_keys`; a file system in memory such as `/dev/shm` is
    best. The file is made with mode 0600; one that another version, another `max_keys` or an earlier
    boot left is replaced. A worker that is killed leaves nothing behind that would stop the others.
    `clock` is for tests: processes agree only on the system's.

    Raises `SharedGatesError` (an `OSError`): the file is not a table of gates, is another user's, is
    open to others, or cannot be made. Raises `GateLimitError` (a `ValueError`) for `max_keys`.
    """
    def __new__(
        cls,
        /,
        path: str | PathLike[str],
        *,
        max_keys: Incomplete = ...,
        clock: Any | None = None,
    ) -> SharedGates: ...
    @property
    def path(self, /) -> Path: ...

@final
class Suppression:
    """
    What was suppressed of one key since it was last reported.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def count(self, /) -> int:
        """
        How many emissions were suppressed.
        """
    @property
    def event(self, /) -> str:
        """
        The event's name.
        """
    @property
    def first(self, /) -> float | None:
        """
        When the first was, in seconds of the gate's clock; None for evicted keys.
        """
    @property
    def last(self, /) -> float | None:
        """
        When the latest was.
        """
    @property
    def saturated(self, /) -> bool:
        """
        Whether the count stands for so many or more.
        """
    @property
    def subkey(self, /) -> str | None:
        """
        The subkey, cut to about 100 bytes; `"<evicted>"` for keys that lost their place in the table.
        """
    @property
    def tenant(self, /) -> str | None:
        """
        The org, for gates with `per_tenant`.
        """

@final
class TenantContext:
    """
    Who the current code works for. One object per entered scope; equal if org and reason are.
    """
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __repr__(self, /) -> str: ...
    @property
    def alive(self, /) -> bool:
        """
        Whether the block of the scope is still running.
        """
    @property
    def org_id(self, /) -> Any | None:
        """
        The org id as it was given to the scope; None before resolution.
        """
    @property
    def org_text(self, /) -> str | None:
        """
        The canonical text of the org id; None before resolution.
        """
    @property
    def pre_resolution(self, /) -> bool:
        """
        Whether this is a `pre_org_resolution_scope`.
        """
    @property
    def reason(self, /) -> str | None:
        """
        Why the pre-resolution scope was opened; None for a tenant.
        """

@final
class Transition:
    """
    One transition of a fire-once gate; a context manager, sync and async.
    """
    def __aenter__(self, /) -> Any: ...
    def __aexit__(self, /, *exception) -> Any: ...
    def __enter__(self, /) -> bool: ...
    def __exit__(self, /, *exception) -> bool:
        """
        Ends it; `exception` is the type, the value and the traceback of what the body raised, or three
        times None.
        """
    def fail(self, /) -> None:
        """
        End it as if the body had raised: for a body that could not do its work, and says so otherwise.
        """

def actions(command: str) -> tuple:
    """
    Return every operations command of a command line, in the order in which they are written.

    The line is parsed as a POSIX shell would, then each command is read by the option tables of its
    tool. Wrappers (`sudo`, `env`, `timeout`, `sh -c` …) are looked into; `docker exec`, `ssh` and the
    like are not, since what they run is elsewhere. A line outside the constructs that the shell
    parser accepts has no actions. Raises `CanonicalizationError` for a lone surrogate.
    """

def canonical_http(method: str, path: str, body: Incomplete = ...) -> bytes:
    """
    Return `METHOD SP path`, then `SP body` if a body is present.
    """

def canonical_json(value: Any, *, strict_jcs: bool = False) -> bytes:
    """
    Return the canonical JSON of a value: RFC 8785, except that integers are exact.
    """

def canonical_org_id(org_id: Any) -> str:
    """
    The canonical text of an org id. Raises `InvalidOrgId`.
    """

def canonical_shell(command: str) -> str:
    """
    Return the canonical form of a shell command: one text for all spellings that run the same.

    What the canonical form does not cover is returned as it is. It is itself a command that runs the
    same under `dash -c`, `bash -c` and `bash --posix -c`.

    Raises `CanonicalizationError` if the command holds a NUL or a lone surrogate.
    """

def current_frame() -> TenantContext | None:
    """
    The current frame, dead or alive, or None. Never raises.
    """

def current_org_id() -> Any | None:
    """
    The org id as given to the innermost scope; None outside a tenant's scope. Raises `ScopeEnded`.
    """

def current_scope() -> TenantContext | None:
    """
    The scope of the running context, or None. Raises `ScopeEnded` if its block is over.
    """

def database_operation_hash(
    table: str,
    primary_key: Any,
    operation: str,
    values: Incomplete = ...,
    *,
    length: Incomplete = ...,
) -> str:
    """
    Return the hash of the canonical JSON of `["database", table, primary_key, operation(, values)]`.
    """

def default_gates() -> Gates:
    """
    The table of the module-level functions.
    """

def docker_logical_key(command: str) -> str | None:
    """
    Return the first logical key of a command line, such as "stop:web"; None if no action of it has a
    known target.

    Despite its name, which is the published one, it knows all tools. Raises `CanonicalizationError`
    for a lone surrogate.
    """

def empty_call(key: str) -> bool:
    """
    Do nothing with a key: what any native call costs, for `benchmarks/gates.py` to compare with.
    """

def encode_canary(
    org: SupportsIndex,
    endpoint: SupportsIndex,
    field: SupportsIndex,
    serial: SupportsIndex,
) -> str:
    """
    The token that says: org `org` wrote this into field `field` of endpoint `endpoint`, as write `serial`.

    Raises `CanaryRangeError` if a part does not fit: org and serial are below 2**20, the others below 2**10.
    """

def fire_once(key: str) -> bool:
    """
    Whether `key` has not fired since it was last reset. Memory is bounded: when more keys than the
    default table holds have fired, further ones fire again rather than stay silent.
    """

def forget_counts_after_fork() -> None:
    """
    Set the counts of every private table to 0: a forked child has suppressed nothing yet.
    """

def frame_allows(owner: TenantContext) -> None:
    """
    Whether the running code may use a connection acquired in `owner`: returns, or raises
    `ScopeMissing`, `ScopeEnded` or `ScopeConflict`.
    """

def http_request_hash(
    method: str, path: str, body: Incomplete = ..., *, length: Incomplete = ...
) -> str:
    """
    Return the first `length` hex digits of the SHA-256 of `canonical_http(method, path, body)`.
    """

def json_hash(value: Any, *, length: Incomplete = ...) -> str:
    """
    Return the first `length` hex digits of the SHA-256 of `canonical_json(value)`.
    """

def notification_hash(
    recipient: str, channel: str, message: str, *, length: Incomplete = ...
) -> str:
    """
    Return the hash of the canonical JSON of `["notification", recipient, channel, message]`.
    """

def pre_org_resolution_scope(
    reason: Any, *, capability: BreakGlass | None = None
) -> Scope:
    """
    The scope of work before or across tenants. `reason` is recorded. Raises `InvalidReason`; on entering
    `ScopeEscalation` or `ScopeEnded`.
    """

def register_grammar(grammar: str) -> str:
    """
    Teach `actions` a tool, for the whole process, and return the name under which the grammar is
    replaced and removed.

    A grammar is a TOML table (known by its tool), or a regular expression with the groups `verb`
    and `target` (known by its text). An expression must match one whole simple command: its literal
    words in canonical form, joined by single spaces, after its wrappers are taken off. Further
    groups become the scope. Expressions are those of the Rust crate `regex`: matching takes linear
    time; look-around and back-references do not exist. Registered grammars go before the built-in
    ones. Raises `GrammarError` if the grammar is not valid or 64 are registered already.
    """

def require_frame() -> TenantContext:
    """
    The current frame. Raises `ScopeMissing` or `ScopeEnded`.
    """

def reset_fire_once(key: str) -> bool:
    """
    Let `key` fire again; whether it had fired.
    """

def scan_canaries(text: bytes) -> list[CanaryHit]:
    """
    Every token in `text`, raw or encoded, in order of position.
    """

def scope_key_pads(key: Key) -> tuple[bytes, bytes]:
    """
    The two pads of `key`, 64 bytes each, for the table that only `interlock.current_org()` reads.
    They are as secret as the key.
    """

def shell_command_hash(command: str, *, length: Incomplete = ...) -> str:
    """
    Return the first `length` hex digits of the SHA-256 of `canonical_shell(command)` in UTF-8.

    Raises `CanonicalizationError` if the command holds a NUL or a lone surrogate, and `ValueError` if
    `length` is not from 1 to 64.
    """

def should_emit(
    key: str, max_per_window: Any, window_ms: SupportsFloat | SupportsIndex
) -> bool:
    """
    Whether `key` has emitted fewer than `max_per_window` times in the window of `window_ms`
    milliseconds that opened with its first allowed call. The limits are those of each call.

    Up to twice the limit can pass across the end of a window; `Gates.rate` has no such burst.

    Raises `GateLimitError` (a `ValueError`) if the limit is negative or the window is not positive.
    """

def tenant_scope(org_id: Any) -> Scope:
    """
    The scope of one tenant. Raises `InvalidOrgId`; on entering `ScopeConflict` or `ScopeEnded`.
    """

def unregister_grammar(name: str) -> bool:
    """
    Remove a registered grammar by the name that `register_grammar` returned: was it there?
    """

def voidforge_docker_logical_key(command: str) -> str | None:
    """
    `dockerLogicalKey` of the reference.
    """

def voidforge_http_request_hash(method: str, path: str, body: Any) -> str:
    """
    `httpRequestHash` of the reference.
    """

def voidforge_shell_command_hash(command: str) -> str:
    """
    `shellCommandHash` of the reference.
    """

def why_shell_is_kept(command: str) -> str | None:
    """
    Return why a command is its own canonical form as it is written, or None if it is normalised.
    """
