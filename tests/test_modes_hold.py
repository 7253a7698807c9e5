"""What is held leaves with what is written next, in one piece, and never later or in another order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from interlock.tenancy.hold import Hold, hold_for

Use = Callable[[Any, Hold, socket.socket], Awaitable[None]]


@asynccontextmanager
async def _connected() -> AsyncIterator[tuple[Any, socket.socket]]:
    """A transport, and the other end of its socket, which does not wait."""
    near, far = socket.socketpair()
    far.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=near)
    try:
        yield transport, far
    finally:
        transport.abort()
        await asyncio.sleep(0)
        far.close()


async def _with_the_next(transport: Any, hold: Hold, far: socket.socket) -> None:
    hold.hold(b"prelude")
    with pytest.raises(BlockingIOError):
        far.recv(100)
    # As the driver writes.
    transport.write(memoryview(b" statement"))
    assert far.recv(100) == b"prelude statement"
    transport.write(b"another")
    assert far.recv(100) == b"another"


async def _with_the_next_lines(transport: Any, hold: Hold, far: socket.socket) -> None:
    hold.hold(b"prelude")
    transport.writelines([b" copy", b" data"])
    assert far.recv(100) == b"prelude copy data"


async def _by_itself(_: Any, hold: Hold, far: socket.socket) -> None:
    hold.hold(b"prelude")
    hold.flush()
    assert far.recv(100) == b"prelude"
    hold.flush()
    with pytest.raises(BlockingIOError):
        far.recv(100)


async def _two_in_a_row(_: Any, hold: Hold, far: socket.socket) -> None:
    hold.hold(b"one")
    hold.hold(b" two")
    hold.write(b" three")
    assert far.recv(100) == b"one two three"


async def _behind_what_the_socket_has_no_room_for(transport: Any, hold: Hold, far: socket.socket) -> None:
    sent = b"x" * 5_000_000
    transport.write(sent)
    hold.hold(b"prelude")
    transport.write(b" statement")
    arrived = bytearray()
    while not arrived.endswith(b" statement"):
        try:
            arrived += far.recv(1_000_000)
        except BlockingIOError:
            await asyncio.sleep(0)
    assert arrived == sent + b"prelude statement"


USES: list[Use] = [
    _with_the_next,
    _with_the_next_lines,
    _by_itself,
    _two_in_a_row,
    _behind_what_the_socket_has_no_room_for,
]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("use", USES)
def test_what_is_held(loop: str, use: Use) -> None:
    async def run() -> None:
        async with _connected() as (transport, far):
            await use(transport, hold_for(transport), far)

    factory = None
    if loop == "uvloop":
        factory = pytest.importorskip("uvloop", reason="uvloop is not installed").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(run())
