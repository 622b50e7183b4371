"""Tells everything that is held about one person, for a person who asks for their data. It has an entry in the audit trail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audience_gql.audience.failures import NotFound
from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef
from audience_gql.audience.people.resolution import find_people
from audience_gql.audience.ports import Ports
from audience_gql.audience.trail.entries import Change, record
from audience_gql.storage import disclosure
from audience_gql.storage.disclosure import Row
from audience_gql.storage.imports.import_messages import RejectRecord
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """What is stored about a person at one instant."""

    owner: SubscriberRef
    at: datetime
    profile: Mapping[str, Any]  # Any: the columns' own types
    sections: Mapping[str, Sequence[Row]]
    rejects: Sequence[RejectRecord]
    """What imports refused, or wrote except for a part, that names the person or has one of their keys."""


async def disclose_person(
    *, ports: Ports, heavy_ports: Ports, workspace: Workspace, subscriber: SubscriberKey
) -> Disclosure:
    """Everything that is stored about one person, read in one snapshot.

    The entry is written after the reading, so that there is no answer without one. Raises NotFound, TooManyEvents.
    """
    async with heavy_ports.database.snapshot() as connection:
        (ref,) = (await find_people(connection, workspace.id, [subscriber])).refs
        profile = None if ref is None else await disclosure.person(connection, (ref.bucket_id, ref.id))
        if ref is None or profile is None:
            raise NotFound("there is no such subscriber", ("subscriber",))
        now = await heavy_ports.clock.now(connection)
        owner = (ref.bucket_id, ref.id)
        sections = await disclosure.sections(connection, workspace.id, owner)
        keys = await disclosure.keys_of(connection, workspace.id, owner)
        quoting = await disclosure.imports_quoting(connection, workspace.id, keys)
        rejects = await disclosure.rejects_about(connection, workspace.id, ref.id, keys)

    async def work(transaction: Transaction) -> None:
        change = Change(
            kind="SUBSCRIBER_EXPORTED", object_id=ref.id, object_bucket=ref.bucket_id, object_name=None
        )
        at = await ports.clock.now(transaction.connection)
        await record(ports, transaction, workspace.id, at, change)

    await ports.database.run(work)
    return Disclosure(
        owner=ref, at=now, profile=profile, sections={**sections, "imports_quoting": quoting}, rejects=rejects
    )
