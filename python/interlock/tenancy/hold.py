"""Sends the prelude in one piece with the statement behind it: one system call, and one wake-up of the server, less.

Transports write at once, so the prelude is kept until the driver writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, TypeAlias

Data: TypeAlias = bytes | bytearray | memoryview


class Hold(Protocol):
    """Writes to a transport, some of it later."""

    def hold(self, data: bytes) -> None:
        """Write ``data`` no later than, and before, whatever is written next."""

    def write(self, data: bytes) -> None:
        """Write ``data`` now."""

    def flush(self) -> None:
        """Write now what is held."""


def hold_for(transport: Any) -> Hold:
    """Return the way to write to ``transport`` with the fewest system calls."""
    if type(transport).__module__.startswith("uvloop."):
        return _Gathered(transport)
    try:
        transport.write = transport.write
        transport.writelines = transport.writelines
        del transport.write, transport.writelines
    except AttributeError:
        # Its methods cannot be stood in for, and nothing is known of it.
        return _Direct(transport)
    return _Held(transport)


class _Direct:
    """Holds nothing."""

    __slots__ = ("hold", "write")

    def __init__(self, transport: Any) -> None:
        self.hold = transport.write
        self.write = transport.write

    def flush(self) -> None:
        pass


class _BrokenOff(Exception):  # noqa: N818 - caught here
    """Ends an iterable before a transport has seen its end."""


def _broken_off(data: bytes) -> Iterator[bytes]:
    yield data
    raise _BrokenOff


class _Gathered:
    """Lets uvloop's transport keep the data itself, since no method of it can be stood in for.

    It gathers what an iterable yields, and sends when that has ended; with what was gathered already, if the one
    before was broken off. Whether it has kept the data shows in the size of its buffer.
    """

    __slots__ = ("_transport",)

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def hold(self, data: bytes) -> None:
        transport = self._transport
        before = transport.get_write_buffer_size()
        try:
            transport.writelines(_broken_off(data))
        except _BrokenOff:
            if transport.get_write_buffer_size() > before:
                return
        transport.write(data)

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def flush(self) -> None:
        if self._transport.get_write_buffer_size():
            self._transport.writelines(())


class _Held:
    """Stands in for the transport's ``write`` while something is held."""

    __slots__ = ("_held", "_transport")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._held = b""

    def hold(self, data: bytes) -> None:
        self._held += data
        self._transport.write = self._write
        self._transport.writelines = self._writelines

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def flush(self) -> None:
        if self._held:
            self._write(b"")

    def _write(self, data: Data) -> None:
        everything = self._release() + data
        self._transport.write(everything)

    def _writelines(self, lines: Iterable[Data]) -> None:
        self._write(b"".join(lines))

    def _release(self) -> bytes:
        # What remains is the method of the transport's class.
        del self._transport.write, self._transport.writelines
        held, self._held = self._held, b""
        return held
