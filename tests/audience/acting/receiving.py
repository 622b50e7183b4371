"""A sender that records messages instead of sending them, and the couriers of a test's house."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import orjson

from audience_gql.api.ids import MESSAGE_IDS
from audience_gql.audience.log.cursors import CursorCodec
from audience_gql.audience.ports import Attempt, OutgoingMessage
from audience_gql.audience.webhooks.carrier import Carrier
from audience_gql.audience.webhooks.courier import Courier
from audience_gql.audience.webhooks.endpoints import create_endpoint
from audience_gql.storage.acting.models import WebhookEndpoint
from tests.audience.acting.conftest import Stage

CURSORS = CursorCodec(("secret",))
Behave = Callable[[OutgoingMessage], Awaitable[Attempt]]
_names = count(1)


def answer(status: int | None = 200, *, response: str = "", retry_after: float | None = None) -> Attempt:
    """How an attempt ends with this status; None for no answer."""
    is_success = status is not None and 200 <= status < 300
    failure = None if is_success else f"The receiver answered {status}."
    return Attempt(
        status=status, milliseconds=1, failure=failure, response=response, retry_after_seconds=retry_after
    )


@dataclass
class RecordingSender:
    """Records what is sent to each URL. `answers` says by URL how a receiver behaves; without an entry, it accepts everything."""

    answers: dict[str, Behave | Attempt] = field(default_factory=dict)
    sent: list[OutgoingMessage] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    refusal: str | None = None
    _secrets: Any = field(default_factory=lambda: count(1))

    def new_secret(self) -> str:
        return f"whsec_{next(self._secrets)}"

    def check_url(self, _url: str) -> str | None:
        return self.refusal

    async def send(self, message: OutgoingMessage) -> Attempt:
        self.sent.append(message)
        self.arrived.set()
        behaviour = self.answers.get(message.url, answer())
        if isinstance(behaviour, Attempt):
            await asyncio.sleep(0)
            return behaviour
        return await behaviour(message)

    def to(self, endpoint: WebhookEndpoint) -> list[OutgoingMessage]:
        return [message for message in self.sent if message.url == endpoint.url]


@dataclass
class Post:
    """The webhooks of one house."""

    stage: Stage
    sender: RecordingSender = field(default_factory=RecordingSender)

    def __post_init__(self) -> None:
        self.courier = self.new_courier()

    def new_carrier(self) -> Carrier:
        return Carrier(
            self.stage.house.ports, self.sender, cursors=CURSORS, ids=MESSAGE_IDS, chance=lambda: 0.0
        )

    def new_courier(self, **options: Any) -> Courier:
        mine = self.stage.house.bucket_id
        return Courier(
            self.stage.house.ports, self.new_carrier(), lambda bucket_id: bucket_id == mine, **options
        )

    async def endpoint(self, name: str = "CRM") -> WebhookEndpoint:
        created = await create_endpoint(
            ports=self.stage.house.ports,
            sender=self.sender,
            workspace=self.stage.house.workspace,
            name=name,
            url=f"https://{next(_names)}.example.com/hook",
        )
        return created.endpoint

    async def settle(self) -> None:
        """Tick and act until nothing changes, and send what can be sent now."""
        await self.stage.settle()
        await self.courier.work_off()

    async def fresh(self, endpoint: WebhookEndpoint) -> WebhookEndpoint:
        return await WebhookEndpoint.get(id=endpoint.id)

    async def deliveries(self, endpoint: WebhookEndpoint) -> list[tuple[str, int]]:
        """(state, attempts) of an endpoint's messages, in their order."""
        rows = await self.stage.house.ports.database.fetch(
            "SELECT state, attempts FROM deliveries WHERE bucket_id = $1 AND endpoint_id = $2 ORDER BY first_number",
            self.stage.house.bucket_id,
            endpoint.id,
        )
        return [tuple(row) for row in rows]

    async def states(self, endpoint: WebhookEndpoint) -> list[str]:
        return [state for state, _ in await self.deliveries(endpoint)]

    async def pass_time(self, by: timedelta) -> datetime:
        """Let the clock go on, and send what has become due."""
        now = self.stage.house.clock.advance(by)
        await self.courier.work_off()
        return now


def data(message: OutgoingMessage) -> Any:
    return orjson.loads(message.body)["data"]


def told(messages: Sequence[OutgoingMessage]) -> list[tuple[str, str | None]]:
    """(kind, external id) of the changes in the messages."""
    return [
        (change["kind"], change["subscriber"]["externalId"])
        for message in messages
        for change in data(message)["changes"]
    ]
