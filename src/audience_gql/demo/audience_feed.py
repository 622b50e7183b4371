"""The demo's websocket client: it receives every membership change and asks for the sizes of segments.

It must not read the database, so that it shows exactly what a client gets.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from websockets import ClientConnection, Subprotocol, connect
from websockets.exceptions import WebSocketException

_PROTOCOL: Final = Subprotocol("graphql-transport-ws")
_RETRY_SECONDS: Final = 1.0
_SIZES_SECONDS: Final = 1.0
_FEED: Final = """subscription ($after: String) { membershipChanges(after: $after) {
  cursor changes { kind cause segment { name } subscriber { externalId } }
} }"""
_SIZES: Final = "{ segments(first: 100, orderBy: CREATED_DESC) { edges { node { name memberCount } } } }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One membership change of a segment, as the client received it."""

    segment: str
    has_entered: bool
    cause: str
    external_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """The callbacks for received changes and sizes."""

    on_change: Callable[[Heard], None]
    on_sizes: Callable[[dict[str, int]], None]
    """Called repeatedly with the sizes of all segments, by name."""


async def listen(url: str, token: str, listener: Listener) -> None:
    """Receive all changes from now on, until cancelled. After a lost connection it resumes from its cursor."""
    cursor: str | None = None
    while True:
        try:
            async with connect(url, subprotocols=[_PROTOCOL]) as socket:
                asking = asyncio.create_task(_ask_for_sizes(socket, token, cursor))
                try:
                    async for frame in socket:
                        cursor = _told(json.loads(frame), listener) or cursor
                        if json.loads(frame)["type"] == "ping":
                            await socket.send(json.dumps({"type": "pong"}))
                finally:
                    asking.cancel()
        except (OSError, WebSocketException):
            pass  # the server restarts or ends
        await asyncio.sleep(_RETRY_SECONDS)


async def _ask_for_sizes(socket: ClientConnection, token: str, cursor: str | None) -> None:
    await _send(socket, {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
    await _subscribe(socket, "feed", _FEED, after=cursor)
    number = 0
    while True:
        await _subscribe(socket, f"sizes-{number}", _SIZES)
        number += 1
        await asyncio.sleep(_SIZES_SECONDS)


async def _subscribe(socket: ClientConnection, name: str, query: str, **variables: object) -> None:
    await _send(
        socket, {"id": name, "type": "subscribe", "payload": {"query": query, "variables": variables}}
    )


async def _send(socket: ClientConnection, message: object) -> None:
    await socket.send(json.dumps(message))


def _told(message: dict[str, Any], listener: Listener) -> str | None:  # Any: JSON
    """Pass a message to the listener. Returns the cursor to resume from; None when the message has none."""
    if message["type"] != "next":
        return None
    data = message["payload"].get("data") or {}
    if "segments" in data:
        nodes = [edge["node"] for edge in data["segments"]["edges"]]
        listener.on_sizes({node["name"]: node["memberCount"] for node in reversed(nodes)})
        return None
    batch = data.get("membershipChanges")
    if batch is None:
        return None
    for change in batch["changes"]:
        if change["segment"] is not None:
            person = change["subscriber"] or {}
            listener.on_change(
                Heard(
                    segment=change["segment"]["name"],
                    has_entered=change["kind"] == "ENTERED",
                    cause=change["cause"],
                    external_id=person.get("externalId"),
                )
            )
    cursor: str = batch["cursor"]
    return cursor
