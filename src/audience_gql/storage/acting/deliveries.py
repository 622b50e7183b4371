"""Claims lanes of webhooks, forms their messages, reads what the messages contain, and records attempts.

Every function works inside the caller's transaction and decides nothing. `claim` or `keep` comes first: both lock the lane.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from audience_gql.storage.engine.membership import ListKind
from audience_gql.storage.postgres.database import Connection
from audience_gql.storage.statements import load_statements

_SQL: Final = load_statements(__file__)
_LAST: Final = 2**63 - 1

DeliveryState: TypeAlias = Literal["WAITING", "DELIVERED", "FAILED", "DROPPED"]


class Lane(NamedTuple):
    """The messages of one bucket to one endpoint, which are sent in their order."""

    bucket_id: int
    endpoint_id: int


class OutboxChange(NamedTuple):
    """One person entered or left one list."""

    number: int
    automation_id: int
    run_id: int
    subscriber_id: int
    list_kind: ListKind
    list_id: int
    entered: bool
    cause: str
    occurred_at: datetime
    sequence: int
    fields: Sequence[str]
    trace: str | None = None
    """Where the run comes from, if it was sampled for a trace."""


class Waiting(NamedTuple):
    """A message that waits for an attempt."""

    id: int
    automation_id: int
    epoch: int
    first_number: int
    last_number: int
    after: str
    cursor: str
    attempts: int
    """How many there were."""
    step: int
    """How many attempts of the schedule have failed."""
    next_attempt_at: datetime
    created_at: datetime


class Chain(NamedTuple):
    """The last message of an automation in a lane."""

    messages: int
    """How many there were. All that were dropped together count as one."""
    sequence: int
    cursor: str | None
    """None if it was dropped."""


class Recipient(NamedTuple):
    """What a message may contain of a person."""

    id: int
    email: str | None
    phone: str | None
    external_id: str | None
    first_name: str | None
    last_name: str | None
    language: str | None
    timezone: str | None
    birthday: date | None
    latitude: float | None
    longitude: float | None
    country: str | None
    region: str | None
    city: str | None
    postal_code: str | None
    fields: Mapping[str, Any]  # Any: custom field id → JSON value of its type


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """How one attempt to send a message ended."""

    number: int
    """1 for the first attempt."""
    at: datetime
    status: int | None
    """The HTTP status of the answer. None if no answer arrived."""
    milliseconds: int
    failure: str | None
    """Why the attempt failed, in one sentence. None if it succeeded."""
    response: str
    """The beginning of the answer's body. Empty after the erasure of a person in the message."""


async def due_lanes(connection: Connection, now: datetime) -> list[Lane]:
    """The lanes of enabled endpoints in which a message can be sent now, and that nobody has."""
    return [Lane(**row) for row in await connection.fetch(_SQL["due_lanes"], now)]


async def claim(
    connection: Connection, lane: Lane, lease: int, *, now: datetime, until: datetime
) -> int | None:
    """Take a lane that is due. Returns the number up to which its changes belong to messages; None if it is not due, or is taken."""
    formed_to: int | None = await connection.fetchval(_SQL["claim"], *lane, lease, now, until)
    return formed_to


async def keep(connection: Connection, lane: Lane, lease: int, *, until: datetime) -> int | None:
    """Extend the time for which the lane is taken. Returns the same as `claim`; None if somebody else has taken it."""
    formed_to: int | None = await connection.fetchval(_SQL["keep"], *lane, lease, until)
    return formed_to


async def rest(connection: Connection, lane: Lane, next_attempt_at: datetime | None) -> None:
    """Give the lane back until an instant; None if nothing waits in it."""
    await connection.execute(_SQL["rest"], *lane, next_attempt_at)


async def let_go(connection: Connection, lane: Lane, lease: int) -> None:
    """Give the lane back in the middle of an attempt. Another attempt can begin at once."""
    await connection.execute(_SQL["let_go"], *lane, lease)


async def oldest_waiting(connection: Connection, lane: Lane) -> Waiting | None:
    row = await connection.fetchrow(_SQL["oldest_waiting"], *lane)
    return None if row is None else Waiting(*row)


async def changes(
    connection: Connection, lane: Lane, *, after: int, upto: int = _LAST, limit: int
) -> list[OutboxChange]:
    rows = await connection.fetch(_SQL["changes"], *lane, after, upto, limit)
    return [OutboxChange(*row) for row in rows]


async def chain(connection: Connection, lane: Lane, automation_id: int) -> Chain | None:
    """The last message of an automation in a lane. None before the first one."""
    row = await connection.fetchrow(_SQL["chain"], *lane, automation_id)
    return None if row is None else Chain(*row)


async def begun_after(
    connection: Connection, bucket_ids: Collection[int], automation_id: int
) -> dict[int, int]:
    """By bucket, the sequence after which the automation has read everything."""
    rows = await connection.fetch(_SQL["begun_after"], list(bucket_ids), automation_id)
    return {row["bucket_id"]: row["begun_after"] for row in rows}


async def form(connection: Connection, lane: Lane, message: Waiting, chain: Chain) -> None:
    """Store a new message with the first changes that belong to none, and make it the last one of its chain."""
    await connection.execute(
        _SQL["add_delivery"],
        lane.bucket_id,
        message.id,
        lane.endpoint_id,
        message.automation_id,
        message.epoch,
        message.first_number,
        message.last_number,
        message.after,
        message.cursor,
        message.created_at,
    )
    await connection.execute(_SQL["set_formed_to"], *lane, message.last_number)
    await connection.execute(_SQL["set_chain"], *lane, message.automation_id, *chain)


async def add_attempt(connection: Connection, lane: Lane, delivery_id: int, attempt: AttemptRecord) -> None:
    await connection.execute(
        _SQL["add_attempt"],
        lane.bucket_id,
        delivery_id,
        attempt.number,
        attempt.at,
        attempt.status,
        attempt.milliseconds,
        attempt.failure,
        attempt.response,
    )


async def end_attempt(
    connection: Connection,
    lane: Lane,
    delivery_id: int,
    *,
    state: DeliveryState,
    attempts: int,
    step: int,
    next_attempt_at: datetime | None,
    ended_at: datetime | None,
) -> None:
    """Set what follows an attempt, unless the message was dropped in the meantime."""
    await connection.execute(
        _SQL["end_attempt"],
        lane.bucket_id,
        delivery_id,
        state,
        attempts,
        step,
        next_attempt_at,
        ended_at,
    )


async def drop(connection: Connection, lane: Lane, delivery_id: int, now: datetime) -> None:
    """Never send a waiting message."""
    await connection.execute(_SQL["drop_delivery"], lane.bucket_id, delivery_id, now)


async def forget_changes(
    connection: Connection, lane: Lane, automation_id: int, *, after: int, upto: int
) -> None:
    """Delete the changes that an automation has put into the outbox, with numbers in (after, upto]."""
    await connection.execute(_SQL["forget_changes"], *lane, after, upto, automation_id)


async def drop_automation(
    connection: Connection, bucket_id: int, automation_id: int, limit: int, now: datetime
) -> bool:
    """Never send what a deleted automation has in the outbox of a bucket. Deletes up to `limit` changes; returns True when none is left.

    This takes the lanes' locks itself.
    """
    await connection.execute(_SQL["wake_lanes_of"], bucket_id, automation_id, now)
    await connection.execute(_SQL["drop_of_automation"], bucket_id, automation_id, now)
    if await connection.execute(_SQL["forget_unformed"], bucket_id, automation_id, limit) != "DELETE 0":
        return False
    await connection.execute(_SQL["forget_chains"], bucket_id, automation_id)
    return True


async def recipients(connection: Connection, bucket_id: int, people: Collection[int]) -> dict[int, Recipient]:
    """What a message may contain of these people, by id. Erased people are left out."""
    rows = await connection.fetch(_SQL["people"], bucket_id, sorted(people))
    return {row["id"]: Recipient(*row)._replace(fields=json.loads(row["fields"])) for row in rows}


async def list_names(
    connection: Connection, lists: Collection[tuple[ListKind, int]]
) -> dict[tuple[ListKind, int], str]:
    """The names by kind and id. Deleted lists are left out."""
    found: dict[tuple[ListKind, int], str] = {}
    for kind, statement in (("SEGMENT", "segment_names"), ("GROUP", "group_names")):
        ids = [list_id for of, list_id in lists if of == kind]
        rows = await connection.fetch(_SQL[statement], ids) if ids else []
        found |= {(kind, row["id"]): row["name"] for row in rows}  # type: ignore[misc]  # the literals above are kinds
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryTotals:
    """How many deliveries there are, of all workspaces."""

    by_state: Mapping[str, int]
    """WAITING: those that wait now. Other states: those that ended lately."""
    oldest_waiting: datetime | None
    """When the oldest waiting message was formed; None when none waits."""


async def totals(connection: Connection, since: datetime) -> DeliveryTotals:
    """What monitoring asks for. Ended deliveries count from `since` on."""
    by_state: Counter[str] = Counter()
    oldest: list[datetime] = []
    for row in await connection.fetch(_SQL["delivery_totals"], since):
        by_state[row["state"]] += row["deliveries"]
        if row["state"] == "WAITING":
            oldest.append(row["oldest"])
    return DeliveryTotals(by_state=by_state, oldest_waiting=min(oldest, default=None))
