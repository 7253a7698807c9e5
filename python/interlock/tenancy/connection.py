"""What a checkout hands out: asyncpg's connection, with the scope checked before everything that sends a byte."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from types import MethodType, TracebackType
from typing import TYPE_CHECKING, Any

import asyncpg
from asyncpg import connection as asyncpg_connection

from interlock.tenancy.callbacks import Callbacks, Topic
from interlock.tenancy.chaining import put_behind
from interlock.tenancy.statements import GuardedCursorFactory, GuardedStatement

if TYPE_CHECKING:
    from interlock.tenancy.checkout import Checkout

# isinstance(connection, asyncpg.Connection) holds for asyncpg's own proxies because of this base.
_ProxyBase: type = getattr(asyncpg_connection, "_ConnectionProxy", object)

# Of prepared statements.
_RESERVED_NAMES = ("interlock_", "__asyncpg_")


def _statement(name: str) -> Callable[..., Awaitable[Any]]:
    """A method of asyncpg's connection that sends something, behind the check."""

    @functools.wraps(getattr(asyncpg.Connection, name))
    def guarded(self: TenantConnection, *args: Any, **kwargs: Any) -> Awaitable[Any]:
        checkout = self._checkout
        return checkout.send(getattr(checkout.connection, name), args, kwargs)

    return guarded


def _codec(name: str) -> Callable[..., Awaitable[Any]]:
    """A change of how a type is read and written, which no reset undoes: the session is closed at the release."""
    send = _statement(name)

    @functools.wraps(getattr(asyncpg.Connection, name))
    def guarded(self: TenantConnection, *args: Any, **kwargs: Any) -> Awaitable[Any]:
        sent = send(self, *args, **kwargs)
        self._checkout.session.has_other_codecs = True
        return sent

    return guarded


def _copy_in(name: str) -> Callable[..., Awaitable[Any]]:
    """``COPY … FROM``, which PostgreSQL refuses under row-level security: say so, and what to do."""
    send = _statement(name)

    @functools.wraps(getattr(asyncpg.Connection, name))
    async def guarded(self: TenantConnection, table_name: str, **kwargs: Any) -> Any:
        try:
            return await send(self, table_name, **kwargs)
        except asyncpg.FeatureNotSupportedError as error:
            if "row-level security" not in str(error):
                raise
            raise _explained(error, table_name) from error

    return guarded


def _explained(error: asyncpg.FeatureNotSupportedError, table: str) -> asyncpg.FeatureNotSupportedError:
    explained = type(error)(
        f"COPY into {table!r} is not possible: the table has row-level security, which PostgreSQL does not apply to "
        "COPY FROM. Use executemany(), or INSERT … SELECT FROM unnest($1::type[], …)"
    )
    explained.__dict__.update(error.__dict__)
    return explained


class TenantConnection(_ProxyBase):  # type: ignore[misc]
    """A checked-out connection, usable as :class:`asyncpg.Connection` while its scope is current and alive.

    Every method that sends something first checks the scope, and raises before a byte is sent:

    Raises:
        ScopeMissing: there is no current scope.
        ScopeEnded: the scope the connection was acquired in is over.
        ScopeConflict: the current scope is another one.
        TransactionRequired: behind a pooler, outside :meth:`transaction`.
        asyncpg.InterfaceError: the connection was released.

    """

    __slots__ = ("_callbacks", "_checkout")

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout
        self._callbacks: Callbacks | None = None

    execute = _statement("execute")
    executemany = _statement("executemany")
    fetch = _statement("fetch")
    fetchrow = _statement("fetchrow")
    fetchval = _statement("fetchval")
    fetchmany = _statement("fetchmany")
    copy_from_table = _statement("copy_from_table")
    copy_from_query = _statement("copy_from_query")
    copy_to_table = _copy_in("copy_to_table")
    copy_records_to_table = _copy_in("copy_records_to_table")
    set_type_codec = _codec("set_type_codec")
    reset_type_codec = _codec("reset_type_codec")
    set_builtin_type_codec = _codec("set_builtin_type_codec")
    reload_schema_state = _statement("reload_schema_state")
    _prepare_statement = _statement("prepare")
    _add_listener = _statement("add_listener")
    _remove_listener = _statement("remove_listener")

    async def prepare(self, query: str, **options: Any) -> GuardedStatement:
        """Prepare a statement; its every use is checked as the connection's own methods are.

        Raises:
            ValueError: ``name`` is one that Interlock or asyncpg may use.

        """
        # Under it, this one could stand in for one of theirs that was dropped in SQL, and no reset would see it.
        if str(options.get("name")).startswith(_RESERVED_NAMES):
            raise ValueError(f"name={options['name']!r}: choose one that begins with none of {_RESERVED_NAMES}")
        return GuardedStatement(self._checkout, await self._prepare_statement(query, **options))

    def cursor(self, query: str, *args: Any, **options: Any) -> GuardedCursorFactory:
        """Return a cursor factory; its every step is checked."""
        self._checkout.permit()
        return GuardedCursorFactory(self._checkout, self._checkout.connection.cursor(query, *args, **options))

    def transaction(self, **options: Any) -> GuardedTransaction:
        """Return a transaction; with a pooler in between it carries the scope."""
        return GuardedTransaction(self._checkout, self._checkout.connection.transaction(**options), options)

    async def reset(self, *, timeout: float | None = None) -> None:
        """Reset the session as between two checkouts, and enter the scope again."""
        await self._checkout.reset(timeout)

    # --- listeners: called with this object, in the scope that added them

    async def add_listener(self, channel: str, callback: Callable[..., Any]) -> None:
        """Listen on ``channel``; the callback runs in the context of this call."""
        await self._add_listener(channel, self._listening.add(channel, callback))

    async def remove_listener(self, channel: str, callback: Callable[..., Any]) -> None:
        """Stop what :meth:`add_listener` began."""
        if (wrapped := self._listening.remove(channel, callback)) is not None:
            await self._remove_listener(channel, wrapped)

    def add_log_listener(self, callback: Callable[..., Any]) -> None:
        """Call ``callback`` for server messages; it runs in the context of this call."""
        self._checkout.connection.add_log_listener(self._listening.add(Topic.LOG, callback))

    def remove_log_listener(self, callback: Callable[..., Any]) -> None:
        """Stop what :meth:`add_log_listener` began."""
        if (wrapped := self._listening.remove(Topic.LOG, callback)) is not None:
            self._checkout.connection.remove_log_listener(wrapped)

    def add_termination_listener(self, callback: Callable[..., Any]) -> None:
        """Call ``callback`` when the connection ends; it runs in the context of this call."""
        self._checkout.connection.add_termination_listener(self._listening.add(Topic.TERMINATION, callback))

    def remove_termination_listener(self, callback: Callable[..., Any]) -> None:
        """Stop what :meth:`add_termination_listener` began."""
        if (wrapped := self._listening.remove(Topic.TERMINATION, callback)) is not None:
            self._checkout.connection.remove_termination_listener(wrapped)

    def add_query_logger(self, callback: Callable[..., Any]) -> None:
        """Call ``callback`` with a record of each query, until the release; it runs in the context of this call."""
        self._checkout.connection.add_query_logger(self._listening.add(Topic.QUERY, callback))

    def remove_query_logger(self, callback: Callable[..., Any]) -> None:
        """Stop what :meth:`add_query_logger` began."""
        if (wrapped := self._listening.remove(Topic.QUERY, callback)) is not None:
            self._checkout.connection.remove_query_logger(wrapped)

    # A context manager over these two.
    query_logger = asyncpg.Connection.query_logger

    @property
    def _listening(self) -> Callbacks:
        if self._callbacks is None:
            self._callbacks = Callbacks(self)
        return self._callbacks

    def _loan_ends(self) -> Any:
        """Return what the pool takes back; None the second time."""
        if self._callbacks is not None:
            self._callbacks.end()
        return self._checkout.surrender()

    # --- everything else

    def __getattr__(self, name: str) -> Any:
        """What asyncpg or the user's connection class adds and sends nothing by itself.

        A method of the user's class runs on this object, so that the statements in it are checked too.
        """
        # The session would lead to the connection without its check.
        if name.startswith(("_", "interlock_")):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        connection = self._checkout.connection
        function = inspect.getattr_static(type(connection), name, None)
        if inspect.isfunction(function) and not hasattr(asyncpg.Connection, name):
            return MethodType(function, self)
        return getattr(connection, name)

    def __repr__(self) -> str:
        return f"<TenantConnection {'released' if self._checkout.released else 'in use'} {id(self):#x}>"


class GuardedTransaction:
    """A transaction whose start and commit are checked; it may always be rolled back."""

    __slots__ = ("_checkout", "_options", "_transaction")

    def __init__(self, checkout: Checkout, transaction: Any, options: dict[str, Any]) -> None:
        self._checkout = checkout
        self._transaction = transaction
        self._options = options

    async def start(self) -> None:
        """Begin the transaction, or a savepoint inside one."""
        await self._checkout.begin(self._transaction.start, self._options)

    async def commit(self) -> None:
        """Commit, or release the savepoint."""
        await self._checkout.send(self._transaction.commit, (), {})

    async def rollback(self) -> None:
        """Roll back; allowed after the scope has ended, for it can show and change nothing."""
        await self._transaction.rollback()

    async def __aenter__(self) -> None:
        """Begin; as in asyncpg nothing is bound."""
        await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            await self._undo(error)
            return
        try:
            self._checkout.permit()
        except BaseException as refusal:
            await self._undo(refusal)
            raise
        await self.commit()

    async def _undo(self, error: BaseException) -> None:
        """Roll back because of ``error``, which stays what the caller hears of."""
        try:
            await self.rollback()
        except Exception as failure:  # noqa: BLE001 - told behind the error that is on its way
            self._checkout.give_up()
            put_behind(error, failure)

    def __repr__(self) -> str:
        return repr(self._transaction)
