"""Ends the web server so that every request it has accepted is answered. It must not know what the application does."""

from __future__ import annotations

import asyncio
import ctypes
import selectors
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

_QUEUE_SECONDS: Final = 0.1
"""How long a client may take to complete a connection that it has begun. That is one message there and back."""
_MOST_QUEUE_SECONDS: Final = 1.0
_ON_ITS_WAY_SECONDS: Final = 0.5
"""How long clients whose connections stay open may send another request. The answer tells them to close."""
_FIRST_REQUEST_SECONDS: Final = 3.0
"""How long a new connection may take for its first request."""
_LOOK_SECONDS: Final = 0.01
_SO_ATTACH_FILTER: Final = 26
_DROP_NEW: Final = struct.pack(
    "=" + 5 * "HBBI",
    *(0x30, 0, 0, 13),  # load the flags of the TCP header
    *(0x54, 0, 0, 0x12),  # keep SYN and ACK
    *(0x15, 0, 1, 0x02),  # if only SYN is set:
    *(0x06, 0, 0, 0),  # drop the packet,
    *(0x06, 0, 0, 0xFFFFFFFF),  # and otherwise keep it
)
"""A program for the kernel (classic BPF) that drops packets with which clients begin a connection."""


class DrainingServer(uvicorn.Server):
    """At shutdown, waits for requests on their way: a client may have connected just before the signal.

    uvicorn's own server closes every connection that is idle at that instant, and resets those that wait in the socket's queue.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        ending: asyncio.Event,
        end_streams: Callable[[Mapping[str, Any]], Awaitable[None]],  # Any: the state of the lifespan
    ) -> None:
        super().__init__(config)
        self._ending = ending
        """Set from the beginning of the end. From then on, connections close after their answer."""
        self._end_streams = end_streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        listening = sockets or []
        self._ending.set()
        for cycle in self._cycles():
            if cycle is not None and not cycle.response_complete:
                cycle.keep_alive = False
        for it in listening:
            refuse_new(it)
        await _until_taken(listening)
        for server in self.servers:
            server.close()
        for it in listening:
            it.close()
        await self._until_asked()
        await self._end_streams(self.lifespan.state)
        await super().shutdown(sockets)

    async def _until_asked(self) -> None:
        """Wait for requests on open connections, and longer for the first request on a new one."""
        now = asyncio.get_running_loop().time
        begun = now()
        await asyncio.sleep(_ON_ITS_WAY_SECONDS)
        while None in self._cycles() and now() < begun + _FIRST_REQUEST_SECONDS:  # noqa: ASYNC110  # no event tells it
            await asyncio.sleep(_LOOK_SECONDS)

    def _cycles(self) -> list[RequestResponseCycle | None]:
        """The last request of each connection for HTTP; None for a connection that has had none."""
        return [it.cycle for it in self.server_state.connections if isinstance(it, HttpToolsProtocol)]


def refuse_new(listening: socket.socket) -> bool:
    """Let nobody begin another connection, while those that have begun one complete it. Returns whether the system allows that.

    A socket that closes resets the connections that wait in its queue. Without this, one that came between the last look at the queue
    and the closing would be lost, although its client has already sent a request. The client's kernel tries again after a second, and
    is refused by then. Where the system has no such filter, or lets this user have none, the queue becomes as short as possible.
    """
    program = ctypes.create_string_buffer(_DROP_NEW)
    pointer = struct.pack("HP", len(_DROP_NEW) // 8, ctypes.addressof(program))
    try:
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)
    except OSError:
        listening.listen(0)
        return False
    return True


async def _until_taken(listening: Iterable[socket.socket]) -> None:
    """Wait until the server has taken all connections from the queues."""
    now = asyncio.get_running_loop().time
    last = now() + _MOST_QUEUE_SECONDS
    await asyncio.sleep(_QUEUE_SECONDS)
    with selectors.DefaultSelector() as selector:
        for it in listening:
            with suppress(ValueError):  # it is closed already
                selector.register(it, selectors.EVENT_READ)
        while selector.get_map() and selector.select(0) and now() < last:  # noqa: ASYNC110  # the same
            await asyncio.sleep(0)
