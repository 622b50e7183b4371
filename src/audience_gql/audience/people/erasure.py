"""Erases a person: the log records that they leave every list, then everything about them is deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from audience_gql.audience.failures import NotFound
from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef
from audience_gql.audience.people.resolution import resolve_people
from audience_gql.audience.ports import Ports
from audience_gql.audience.trail import entries
from audience_gql.storage import erasure, exports
from audience_gql.storage.engine import membership
from audience_gql.storage.engine.membership import Change
from audience_gql.storage.imports import import_messages
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Transaction


async def erase_subscriber(*, ports: Ports, workspace: Workspace, subscriber: SubscriberKey) -> SubscriberRef:
    """Erase one person, at once and permanently. What imports recorded about their rows is deleted, too, and exported files expire.

    Only their id stays, in the log. It is random, is never used again, and leads nowhere. Their keys are free at once. Raises NotFound.
    """

    async def work(transaction: Transaction) -> SubscriberRef:
        connection = transaction.connection
        await exports.hold_exports(
            connection, workspace.id
        )  # the workspace before people, as in every transaction
        (ref,) = await resolve_people(connection, workspace.id, [subscriber])
        if ref is None:
            raise NotFound("there is no such subscriber", ("subscriber",))
        # Lock the person before the bucket: a writer that holds a person never waits for a bucket, and a tick never waits for a person.
        if not await erasure.hold_people(connection, ref.bucket_id, [ref.id]):
            raise NotFound("there is no such subscriber", ("subscriber",))
        now = await erase_within(
            transaction, ports=ports, workspace_id=workspace.id, bucket_id=ref.bucket_id, ids=[ref.id]
        )
        change = entries.Change(
            kind="SUBSCRIBER_ERASED", object_id=ref.id, object_bucket=ref.bucket_id, object_name=None
        )
        await entries.record(ports, transaction, workspace.id, now, change)
        return ref

    return await ports.database.run(work)


async def erase_within(
    transaction: Transaction, *, ports: Ports, workspace_id: int, bucket_id: int, ids: Sequence[int]
) -> datetime:
    """Erase people of one bucket in the caller's transaction, which has called hold_exports and then hold_people. Returns the instant."""
    connection = transaction.connection
    bucket = await membership.lock_bucket(connection, bucket_id)
    assert bucket is not None  # noqa: S101  # a bucket is deleted with its people
    now = max(await ports.clock.now(connection), bucket.last_instant)
    left = [
        Change(
            list_kind=kind,
            list_id=list_id,
            subscriber_id=person_id,
            entered=False,
            cause="MANUAL",
            revision=None,
        )
        for person_id, kind, list_id in await erasure.lists_of(connection, bucket_id, ids)
    ]
    await membership.log_outside_a_tick(connection, bucket, left, now=now)
    keys = await erasure.erase(connection, workspace_id, bucket_id, ids)
    await import_messages.forget_people(connection, workspace_id, ids, keys)
    await exports.forget_files(connection, workspace_id)
    transaction.after_commit(lambda: ports.signals.changed([workspace_id]))
    transaction.after_commit(lambda: ports.signals.marked([bucket_id]))
    return now
