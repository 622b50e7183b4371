"""What a new status does to the one that a channel has: said by somebody, brought by an event, or with another address.

It must not touch the database, nor decide whether a message may be sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from audience_gql.storage.facts import ChannelState

_STRENGTH: Final[Mapping[str, int]] = {"BOUNCED": 1, "UNSUBSCRIBED": 2, "SPAM_REPORTED": 3}
"""How much a refusal says; what is not in here is none."""

REFUSAL_OF_EVENT: Final[Mapping[str, str]] = {
    "email_bounced": "BOUNCED",
    "email_unsubscribed": "UNSUBSCRIBED",
    "email_complained": "SPAM_REPORTED",
}
"""The status of the EMAIL channel that an event of this name brings."""

CHANNELS_OF_ADDRESS: Final = {
    "email": ("EMAIL", "TRANSACTIONAL_EMAIL"),
    "phone": ("SMS", "TRANSACTIONAL_SMS"),
}
"""The channels that reach somebody at an address of this kind."""

NOTHING_SAID: Final = ChannelState(status="NONE", changed_at=datetime(1000, 1, 1, tzinfo=UTC), reason=None)
"""What a channel was before its first status: the instant is before that of any event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An event by which somebody refused emails."""

    subscriber_id: int
    name: str
    occurred_at: datetime


def is_reactivation(before: str, after: str) -> bool:
    """Whether a status would bring back somebody who refused."""
    return before in _STRENGTH and after not in _STRENGTH


def said(before: ChannelState | None, status: str, reason: str | None, now: datetime) -> ChannelState:
    """The state once somebody says a status. Nothing changes when it is that already."""
    if before is not None and before.status == status:
        return before
    earlier = replace(before or NOTHING_SAID, before=None) if status == "BOUNCED" else None
    return ChannelState(status=status, changed_at=now, reason=reason, before=earlier)


def refused(
    state: ChannelState | None, refusal: Refusal, now: datetime, *, address_since: datetime | None
) -> ChannelState | None:
    """The state once an event tells of a refusal.

    Events count where they happened, in whatever order they are told: of those since somebody last said a status, the strongest
    counts, from its first event on. A bounce from before the address came says nothing of it. A refusal of the future counts from now.
    """
    status, at = REFUSAL_OF_EVENT[refusal.name], min(refusal.occurred_at, now)
    present = state or NOTHING_SAID
    base = present.before or present
    is_late = at < base.changed_at or (
        status == "BOUNCED" and address_since is not None and at < address_since
    )
    if is_late or not _outweighs(status, at, refusal.name, present, base):
        return state
    return ChannelState(status=status, changed_at=at, reason=refusal.name, before=base)


def without_bounce(state: ChannelState) -> ChannelState | None:
    """The state with another address: a bounce goes with the address that bounced, and what was before it is true again.

    Only a bounce of which nobody noted what was before it stays.
    """
    if state.status != "BOUNCED" or state.before is None:
        return state
    return None if state.before.status == NOTHING_SAID.status else state.before


def _outweighs(status: str, at: datetime, reason: str, present: ChannelState, base: ChannelState) -> bool:
    strength = _STRENGTH[status]
    if present is not base and present.status == status:
        return present.reason == reason and at < present.changed_at
    return strength > max(_STRENGTH.get(present.status, 0), _STRENGTH.get(base.status, 0))
