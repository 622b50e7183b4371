"""What a person agreed to on each channel, and what brings her back once she refused.

It must not decide whether a message may be sent; it keeps what is known, and since when.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audience_gql.audience.failures import InvalidInput, Issue, NotFound
from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef
from audience_gql.audience.people.resolution import resolve_people
from audience_gql.audience.ports import Ports
from audience_gql.conditions.given_values import BadValue, given_text
from audience_gql.conditions.vocabulary import CHANNEL_STATUSES, CHANNELS
from audience_gql.storage import facts
from audience_gql.storage.database import Transaction
from audience_gql.storage.facts import ChannelState
from audience_gql.storage.models import Workspace

_STRENGTH: Final[Mapping[str, int]] = {"BOUNCED": 1, "UNSUBSCRIBED": 2, "SPAM_REPORTED": 3}
"""How much a refusal says; what is not in here is none."""

REFUSAL_OF_EVENT: Final[Mapping[str, str]] = {
    "email_bounced": "BOUNCED",
    "email_unsubscribed": "UNSUBSCRIBED",
    "email_complained": "SPAM_REPORTED",
}
"""The status of the EMAIL channel that an event of this name brings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An event by which somebody refused emails."""

    subscriber_id: int
    name: str
    occurred_at: datetime


async def set_channel_status(
    *,
    ports: Ports,
    workspace: Workspace,
    subscriber: SubscriberKey,
    channel: str,
    status: str,
    reason: str | None = None,
) -> SubscriberRef:
    """Set what one person agreed to. Setting the status that she has already changes nothing.

    Only a reason brings back somebody who left, bounced or complained. Raises InvalidInput, NotFound.
    """
    reason = _checked(channel, status, reason)

    async def work(transaction: Transaction) -> SubscriberRef:
        connection = transaction.connection
        (ref,) = await resolve_people(connection, workspace.id, [subscriber])
        if ref is None:
            raise NotFound("there is no such subscriber", ("input", "subscriber"))
        await facts.lock_people(connection, ref.bucket_id, [ref.id])
        states = await facts.channel_states(connection, ref.bucket_id, [ref.id])
        before = states.get((ref.id, channel))
        if before is not None and before.status == status:
            return ref
        if before is not None and is_reactivation(before.status, status) and reason is None:
            message = f"{channel} is {before.status}; give the reason why it may be {status} again"
            raise InvalidInput((Issue(code="CONSENT", message=message, path=("input", "reason")),))
        now = await ports.clock.now(connection)
        state = ChannelState(status=status, changed_at=now, reason=reason)
        marks = await facts.write_channels(connection, ref.bucket_id, {(ref.id, channel): state})
        await facts.write_marks(connection, ref.bucket_id, marks, lane=facts.LIVE)
        transaction.after_commit(lambda: ports.signals.marked([ref.bucket_id]))
        return ref

    return await ports.database.run(work)


def is_reactivation(before: str, after: str) -> bool:
    """Whether a status would bring back somebody who refused."""
    return before in _STRENGTH and after not in _STRENGTH


def refused_by(
    refusals: Iterable[Refusal], states: Mapping[tuple[int, str], ChannelState], now: datetime
) -> dict[tuple[int, str], ChannelState]:
    """The states of the EMAIL channel that these events change; `states` are those before.

    An event counts where it happened: one from before the present status was set is too late to say anything, and a weaker
    refusal never replaces a stronger one. One of the future says already now that she refuses: it counts from now on.
    """
    changed: dict[tuple[int, str], ChannelState] = {}
    for refusal in sorted(refusals, key=lambda refusal: refusal.occurred_at):
        key = (refusal.subscriber_id, "EMAIL")
        before = changed.get(key) or states.get(key)
        status = REFUSAL_OF_EVENT[refusal.name]
        at = min(refusal.occurred_at, now)
        if before is None or (
            before.changed_at <= at and _STRENGTH.get(before.status, 0) < _STRENGTH[status]
        ):
            changed[key] = ChannelState(status=status, changed_at=at, reason=refusal.name)
    return changed


def _checked(channel: str, status: str, reason: str | None) -> str | None:
    """The reason, when there is one. Raises InvalidInput."""
    if channel not in CHANNELS or status not in CHANNEL_STATUSES:
        path = ("input", "status" if channel in CHANNELS else "channel")
        raise InvalidInput((Issue(code="UNKNOWN", message="unknown channel or status", path=path),))
    try:
        return None if reason is None else given_text(reason)
    except BadValue as error:
        issue = Issue(code=error.code, message=error.message, path=("input", "reason"))
        raise InvalidInput((issue,)) from error
