"""Performs an automation's actions for many people, in the transaction that records their runs.

The actions write through the functions of the API's use cases, so that their rules, marks and limits hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from audience_gql.audience.acting.automation import (
    Action,
    AddToGroup,
    RemoveFromGroup,
    SetField,
    TrackEvent,
    Webhook,
)
from audience_gql.audience.failures import Reject
from audience_gql.audience.people.events import EventItem, track_within
from audience_gql.audience.people.keys import SubscriberKey, SubscriberRef
from audience_gql.audience.people.subscribers import upsert_within
from audience_gql.audience.ports import Ports
from audience_gql.storage import definitions
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.people import facts
from audience_gql.storage.people.facts import LIVE, Mark, Source
from audience_gql.storage.postgres.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """The effects of one automation's runs in one bucket, within one transaction."""

    ports: Ports
    workspace: Workspace
    transaction: Transaction
    bucket_id: int

    async def perform(self, actions: Sequence[Action], people: Sequence[int], depth: int) -> dict[int, str]:
        """Perform the actions in their order for these people, who exist. Returns why they failed, by person.

        `depth` is that of the runs. If anybody is returned, roll back, and perform the actions without these people.
        """
        source = Source(LIVE, depth)
        for action in actions:
            failed = await self._perform(action, people, source)
            if failed:
                return failed
        bucket_ids = [self.bucket_id]
        self.transaction.after_commit(lambda: self.ports.signals.marked(bucket_ids))
        return {}

    async def _perform(self, action: Action, people: Sequence[int], source: Source) -> dict[int, str]:
        match action:
            case AddToGroup(group_id=group_id):
                return await self._change_group(group_id, people, source, is_joining=True)
            case RemoveFromGroup(group_id=group_id):
                return await self._change_group(group_id, people, source, is_joining=False)
            case SetField(key=key, value=value):
                item = {"fields": [{"key": key, "value": value}]}
                upserted, _ = await upsert_within(
                    self.transaction,
                    ports=self.ports,
                    workspace=self.workspace,
                    items=[{"id": SubscriberRef(self.bucket_id, person), **item} for person in people],
                    source=source,
                )
                return _failed(people, upserted.rejects)
            case TrackEvent(name=name, value=value, properties=properties):
                tracked = await track_within(
                    self.transaction,
                    ports=self.ports,
                    workspace=self.workspace,
                    items=[
                        EventItem(subscriber=self._key(person), name=name, value=value, properties=properties)
                        for person in people
                    ],
                    source=source,
                )
                return _failed(people, tracked.rejects)
            case Webhook():
                return {}  # the outbox is written with the runs

    async def _change_group(
        self, group_id: int, people: Sequence[int], source: Source, *, is_joining: bool
    ) -> dict[int, str]:
        connection = self.transaction.connection
        if not await definitions.hold_groups(connection, self.workspace.id, [group_id]):
            return dict.fromkeys(people, "the group does not exist any more")
        members = {(group_id, person) for person in people}
        if is_joining:
            now = await self.ports.clock.now(connection)
            pairs = await facts.add_members(connection, self.bucket_id, members, now)
        else:
            pairs = list(await facts.remove_members(connection, self.bucket_id, members))
        kind: facts.MarkKind = "group_joined" if is_joining else "group_left"
        marks = {Mark(person, kind, group_id) for _, person in pairs}
        await facts.write_marks(connection, self.bucket_id, marks, source=source)
        return {}

    def _key(self, person: int) -> SubscriberKey:
        return SubscriberKey(kind="id", value=SubscriberRef(self.bucket_id, person))


def _failed(people: Sequence[int], rejects: Sequence[Reject]) -> dict[int, str]:
    return {people[reject.index]: reject.message for reject in rejects}
