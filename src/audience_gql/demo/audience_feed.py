"""The demo's websocket client: it receives every membership change, and asks for the sizes of lists and the runs of the automation.

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

from audience_gql.demo.loading import WIN_BACK

_PROTOCOL: Final = Subprotocol("graphql-transport-ws")
_RETRY_SECONDS: Final = 1.0
_STATE_SECONDS: Final = 1.0
_FEED: Final = """subscription ($after: String) { membershipChanges(after: $after) {
  cursor changes { kind cause segment { name } group { name } subscriber { externalId } }
} }"""
_STATE: Final = """query ($name: String!, $from: DateTime!) {
  segments(first: 100, orderBy: CREATED_DESC) { edges { node { name memberCount } } }
  group(by: {name: $name}) { name memberCount }
  automation(by: {name: $name}) { summary figures(from: $from) { done } }
}"""
_BEGINNING: Final = "2000-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One membership change, as the client received it."""

    name: str
    """The name of the segment or group."""
    has_entered: bool
    cause: str
    external_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the client was told when it asked last."""

    sizes: dict[str, int]
    """The sizes of all segments and of the automation's group, by name."""
    summary: str | None
    """What the automation does, in a sentence; None if it was deleted."""
    runs: int
    """How often the automation has acted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """The callbacks for what is received."""

    on_change: Callable[[Heard], None]
    on_state: Callable[[State], None]
    """Called repeatedly."""


async def listen(url: str, token: str, listener: Listener) -> None:
    """Receive all changes from now on, until cancelled. After a lost connection it resumes from its cursor."""
    cursor: str | None = None
    while True:
        try:
            async with connect(url, subprotocols=[_PROTOCOL]) as socket:
                asking = asyncio.create_task(_ask_for_state(socket, token, cursor))
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


async def _ask_for_state(socket: ClientConnection, token: str, cursor: str | None) -> None:
    await _send(socket, {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
    await _subscribe(socket, "feed", _FEED, after=cursor)
    number = 0
    while True:
        await _subscribe(socket, f"state-{number}", _STATE, **{"name": WIN_BACK, "from": _BEGINNING})
        number += 1
        await asyncio.sleep(_STATE_SECONDS)


async def _subscribe(socket: ClientConnection, name: str, query: str, /, **variables: object) -> None:
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
        listener.on_state(_state(data))
        return None
    batch = data.get("membershipChanges")
    if batch is None:
        return None
    for change in batch["changes"]:
        changed = change["segment"] or change["group"]
        if changed is not None:
            person = change["subscriber"] or {}
            listener.on_change(
                Heard(
                    name=changed["name"],
                    has_entered=change["kind"] == "ENTERED",
                    cause=change["cause"],
                    external_id=person.get("externalId"),
                )
            )
    cursor: str = batch["cursor"]
    return cursor


def _state(data: dict[str, Any]) -> State:  # Any: JSON
    nodes = [edge["node"] for edge in reversed(data["segments"]["edges"])]
    lists = [*nodes, *filter(None, [data["group"]])]
    automation = data["automation"] or {"summary": None, "figures": {"done": 0}}
    return State(
        sizes={each["name"]: each["memberCount"] for each in lists},
        summary=automation["summary"],
        runs=automation["figures"]["done"],
    )
