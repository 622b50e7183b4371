"""Clients of the feed, one per transport. They store a cursor, disconnect at random, and continue from the cursor."""

from __future__ import annotations

import asyncio
import json
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets import Subprotocol, connect
from websockets.exceptions import WebSocketException

from audience_gql.api import ids
from audience_gql.api.ids import Kind

MAY_FAIL = (OSError, WebSocketException, httpx.HTTPError, TimeoutError, EOFError)
FOR_THE_MOMENT = frozenset({"UNAVAILABLE", "TIMEOUT", "SLOW_CLIENT"})
"""Close codes after which a client reconnects."""
_PATIENCE_SECONDS = 15.0
_BATCH = "after cursor changes { id kind segmentId groupId subscriberId"
LISTEN = f"subscription ($after: String) {{ membershipChanges(after: $after) {{ {_BATCH} }} }} }}"
LISTEN_CLOSELY = (
    f"subscription ($after: String) {{ membershipChanges(after: $after) {{ {_BATCH} segment {{ name memberCount }} "
    "subscriber { externalId } } } }"
)
CATCH_UP = f"query ($after: String) {{ membershipChanges(after: $after) {{ hasMore {_BATCH} }} }} }}"


class BrokenOff(Exception):
    """The server has gone, or says that it cannot serve the client at the moment."""


@dataclass
class Listener(ABC):
    """One client. It stores the processed changes together with their cursor, as in one transaction."""

    url: str
    token: str
    cursor: str
    chance: random.Random
    heard: list[tuple[int, int]] = field(default_factory=list)
    """(bucket, sequence) of every received change, in order."""
    wrong: list[str] = field(default_factory=list)
    visits: int = 0
    """How often it has connected and received something."""
    broken: int = 0
    """How often the server has disconnected it."""

    async def listen(self) -> None:
        """Connect, receive some batches, disconnect and connect again, until cancelled."""
        while True:
            batches = self.batches()
            try:
                most = self.chance.choice([1, 3, 10, 30])
                heard = 0
                async for batch in batches:
                    self._hear(batch)
                    heard += 1
                    self.visits += heard == 1
                    if heard == most:
                        break
            except (BrokenOff, *MAY_FAIL):
                self.broken += 1
                await asyncio.sleep(0.1 + 0.2 * self.chance.random())
            finally:
                await batches.aclose()
            await asyncio.sleep(0.3 * self.chance.random())

    @abstractmethod
    def batches(self) -> AsyncGenerator[dict[str, Any], None]:  # Any: JSON
        """The batches after the cursor, over one connection."""

    def result(self, body: dict[str, Any]) -> Any:  # Any: JSON
        """The batch in a result. Raises BrokenOff."""
        codes = {error["extensions"]["code"] for error in body.get("errors") or ()}
        if codes - FOR_THE_MOMENT:
            self.wrong.append(f"{type(self).__name__} was told {body['errors']}")
        if codes:
            raise BrokenOff
        return body["data"]["membershipChanges"]

    def _hear(self, batch: dict[str, Any]) -> None:
        if batch["after"] != self.cursor:
            self.wrong.append(f"{type(self).__name__}: the chain is broken after {len(self.heard)} changes")
        for change in batch["changes"]:
            numbers = ids.decode(Kind.MEMBERSHIP_CHANGE, change["id"])
            assert numbers is not None
            self.heard.append((numbers[0], numbers[1]))
        self.cursor = batch["cursor"]

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


@dataclass
class OnSocket(Listener):
    """A client over graphql-transport-ws, which disconnects without a close frame."""

    document: str = LISTEN

    async def batches(self) -> AsyncGenerator[dict[str, Any], None]:  # Any: JSON
        address = self.url.replace("http", "ws", 1)
        async with (
            asyncio.timeout(_PATIENCE_SECONDS) as patience,
            connect(
                address, subprotocols=[Subprotocol("graphql-transport-ws")], open_timeout=3, close_timeout=1
            ) as socket,
        ):
            await socket.send(
                json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {self.token}"}})
            )
            asked = {"query": self.document, "variables": {"after": self.cursor}}
            async for frame in socket:
                message = json.loads(frame)
                match message["type"]:
                    case "connection_ack":
                        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": asked}))
                    case "ping":
                        await socket.send(json.dumps({"type": "pong"}))
                    case "next":
                        patience.reschedule(asyncio.get_running_loop().time() + _PATIENCE_SECONDS)
                        yield self.result(message["payload"])
                    case "error":
                        self.result({"errors": message["payload"]})
                    case "complete":
                        return


@dataclass
class OnStream(Listener):
    """A client over server-sent events, which sends its cursor only as Last-Event-ID."""

    async def batches(self) -> AsyncGenerator[dict[str, Any], None]:  # Any: JSON
        headers = {**self.headers, "accept": "text/event-stream", "last-event-id": self.cursor}
        body = {"query": LISTEN}
        async with (
            asyncio.timeout(_PATIENCE_SECONDS) as patience,
            httpx.AsyncClient(headers=headers, timeout=_PATIENCE_SECONDS) as client,
            client.stream("POST", self.url, json=body) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise BrokenOff
            id_ = ""
            async for line in response.aiter_lines():
                if line.startswith("id: "):
                    id_ = line.removeprefix("id: ")
                elif line.startswith("data: "):
                    patience.reschedule(asyncio.get_running_loop().time() + _PATIENCE_SECONDS)
                    batch = self.result(json.loads(line.removeprefix("data: ")))
                    if id_ != batch["cursor"]:
                        self.wrong.append("the event's id is not the batch's cursor")
                    yield batch


@dataclass
class ByPages(Listener):
    """A client that polls the query."""

    async def batches(self) -> AsyncGenerator[dict[str, Any], None]:  # Any: JSON
        async with httpx.AsyncClient(headers=self.headers, timeout=_PATIENCE_SECONDS) as client:
            while True:
                asked = {"query": CATCH_UP, "variables": {"after": self.cursor}}
                response = await client.post(self.url, json=asked)
                if response.status_code != httpx.codes.OK:
                    raise BrokenOff
                page = self.result(response.json())
                yield page
                if not page["hasMore"]:
                    await asyncio.sleep(0.2)
