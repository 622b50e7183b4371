"""Sets a channel's status by hand: the only way back for a person who refused.

consent.py decides how a new status combines with the present one; upserts and events use it too.
"""

from __future__ import annotations

from audience_gql.audience.failures import InvalidInput, Issue, NotFound
from audience_gql.audience.people.consent import is_reactivation, said
from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef
from audience_gql.audience.people.resolution import resolve_people
from audience_gql.audience.ports import Ports
from audience_gql.conditions.given_values import BadValue, given_text
from audience_gql.conditions.vocabulary import CHANNEL_STATUSES, CHANNELS
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.people import facts
from audience_gql.storage.postgres.database import Transaction


async def set_channel_status(
    *,
    ports: Ports,
    workspace: Workspace,
    subscriber: SubscriberKey,
    channel: str,
    status: str,
    reason: str | None = None,
) -> SubscriberRef:
    """Set the status of one channel of a person. If the channel already has this status, nothing changes.

    A reason is required to bring back a person who bounced, unsubscribed or complained. Raises InvalidInput, NotFound.
    """
    reason = _checked(channel, status, reason)

    async def work(transaction: Transaction) -> SubscriberRef:
        connection = transaction.connection
        (ref,) = await resolve_people(connection, workspace.id, [subscriber])
        if ref is None:
            raise NotFound("there is no such subscriber", ("subscriber",))
        await facts.lock_people(connection, ref.bucket_id, [ref.id])
        states = await facts.channel_states(connection, ref.bucket_id, [ref.id])
        before = states.get((ref.id, channel))
        if before is not None and before.status == status:
            return ref
        if before is not None and is_reactivation(before.status, status) and reason is None:
            message = f"{channel} is {before.status}; give the reason why it may be {status} again"
            raise InvalidInput((Issue(code="CONSENT", message=message, path=("reason",)),))
        state = said(before, status, reason, await ports.clock.now(connection))
        marks = await facts.write_channels(connection, ref.bucket_id, {(ref.id, channel): state})
        await facts.write_marks(connection, ref.bucket_id, marks)
        transaction.after_commit(lambda: ports.signals.marked([ref.bucket_id]))
        return ref

    return await ports.database.run(work)


def _checked(channel: str, status: str, reason: str | None) -> str | None:
    """The reason; None if it is null or blank. Raises InvalidInput."""
    if channel not in CHANNELS or status not in CHANNEL_STATUSES:
        path = ("status" if channel in CHANNELS else "channel",)
        raise InvalidInput((Issue(code="UNKNOWN", message="unknown channel or status", path=path),))
    try:
        return None if reason is None else given_text(reason)
    except BadValue as error:
        issue = Issue(code=error.code, message=error.message, path=("reason",))
        raise InvalidInput((issue,)) from error
