"""The demo's websocket client: it receives every membership change, and asks for the sizes of lists and the runs of the automations.

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
from audience_gql.demo.opening import THANKS

_PROTOCOL: Final = Subprotocol("graphql-transport-ws")
_RETRY_SECONDS: Final = 1.0
_STATE_SECONDS: Final = 1.0
_FEED: Final = """subscription ($after: String) { membershipChanges(after: $after) {
  cursor changes { kind cause segment { name } group { name } subscriber { externalId } }
} }"""
_STATE: Final = """query ($first: String!, $second: String!, $from: DateTime!) {
  segments(first: 100, orderBy: CREATED_DESC) { edges { node { name memberCount state } } }
  firstGroup: group(by: {name: $first}) { ...Size }
  secondGroup: group(by: {name: $second}) { ...Size }
  first: automation(by: {name: $first}) { ...Acts }
  second: automation(by: {name: $second}) { ...Acts }
}
fragment Size on Group { name memberCount }
fragment Acts on Automation { name summary figures(from: $from) { done } }"""
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
class Acting:
    """An automation of the demo. One that somebody deleted is not told."""

    name: str
    summary: str
    """What the automation does, in a sentence."""
    runs: int
    """How often it has acted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the client was told when it asked last."""

    sizes: dict[str, int]
    """The sizes of all segments and of the automations' groups, by name."""
    filling: int
    """How many of the segments have not found all their members yet."""
    automations: tuple[Acting, ...]


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
    asked = {"first": WIN_BACK, "second": THANKS, "from": _BEGINNING}
    number = 0
    while True:
        await _subscribe(socket, f"state-{number}", _STATE, **asked)
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
    segments = [edge["node"] for edge in reversed(data["segments"]["edges"])]
    groups = filter(None, (data["firstGroup"], data["secondGroup"]))
    automations = filter(None, (data["first"], data["second"]))
    return State(
        sizes={each["name"]: each["memberCount"] for each in (*segments, *groups)},
        filling=sum(each["state"] == "COMPUTING" for each in segments),
        automations=tuple(
            Acting(name=each["name"], summary=each["summary"], runs=each["figures"]["done"])
            for each in automations
        ),
    )
