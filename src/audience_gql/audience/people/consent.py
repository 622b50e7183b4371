"""Decides how a channel's state changes when a caller sets a status, an event reports a refusal, or the address changes.

It must not touch the database, nor decide whether a message may be sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from audience_gql.storage.people.facts import ChannelConsent

_STRENGTH: Final[Mapping[str, int]] = {"BOUNCED": 1, "UNSUBSCRIBED": 2, "SPAM_REPORTED": 3}
"""How strong each refusal is. A status that is missing here is not a refusal."""

REFUSAL_OF_EVENT: Final[Mapping[str, str]] = {
    "email_bounced": "BOUNCED",
    "email_unsubscribed": "UNSUBSCRIBED",
    "email_complained": "SPAM_REPORTED",
}
"""The status that an event of this name sets on the EMAIL channel."""

CHANNELS_OF_ADDRESS: Final = {
    "email": ("EMAIL", "TRANSACTIONAL_EMAIL"),
    "phone": ("SMS", "TRANSACTIONAL_SMS"),
}
"""The channels that send to an address of this kind."""

NOTHING_SAID: Final = ChannelConsent(status="NONE", changed_at=datetime(1000, 1, 1, tzinfo=UTC), reason=None)
"""A channel's state before its first status. Its instant is earlier than that of any event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An event by which a person refused emails."""

    subscriber_id: int
    name: str
    occurred_at: datetime


def is_reactivation(before: str, after: str) -> bool:
    """Whether the status `after` would bring back a person who refused."""
    return before in _STRENGTH and after not in _STRENGTH


def said(before: ChannelConsent | None, status: str, reason: str | None, now: datetime) -> ChannelConsent:
    """The state after a caller sets a status. The same status again changes nothing."""
    if before is not None and before.status == status:
        return before
    earlier = replace(before or NOTHING_SAID, before=None) if status == "BOUNCED" else None
    return ChannelConsent(status=status, changed_at=now, reason=reason, before=earlier)


def refused(
    state: ChannelConsent | None, refusal: Refusal, now: datetime, *, address_since: datetime | None
) -> ChannelConsent | None:
    """The state after an event reports a refusal.

    An event counts at the instant when it happened; the order of arrival does not matter. Of the refusals since a caller last set a
    status, the strongest counts, from its first event on. A bounce that is older than the present address does not count. A refusal in
    the future counts from now on.
    """
    status, at = REFUSAL_OF_EVENT[refusal.name], min(refusal.occurred_at, now)
    present = state or NOTHING_SAID
    base = present.before or present
    is_late = at < base.changed_at or (
        status == "BOUNCED" and address_since is not None and at < address_since
    )
    if is_late or not _outweighs(status, at, refusal.name, present, base):
        return state
    return ChannelConsent(status=status, changed_at=at, reason=refusal.name, before=base)


def without_bounce(state: ChannelConsent) -> ChannelConsent | None:
    """The state after the address changes: a bounce ends, and the state before it returns. None if there was no status before."""
    if state.status != "BOUNCED":
        return state
    earlier = state.before or NOTHING_SAID
    return None if earlier.status == NOTHING_SAID.status else earlier


def _outweighs(status: str, at: datetime, reason: str, present: ChannelConsent, base: ChannelConsent) -> bool:
    strength = _STRENGTH[status]
    if present is not base and present.status == status:
        return present.reason == reason and at < present.changed_at
    return strength > max(_STRENGTH.get(present.status, 0), _STRENGTH.get(base.status, 0))
