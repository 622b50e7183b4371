"""Forms the messages of a lane from the outbox, and composes what each attempt sends, inside a transaction that holds the lane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from audience_gql.audience.log.cursors import CursorCodec
from audience_gql.audience.ports import OutgoingMessage, Ports
from audience_gql.audience.webhooks.messages import (
    CHANGES_A_MESSAGE,
    Envelope,
    Known,
    MessageIds,
    change_body,
    fitting,
    message_body,
)
from audience_gql.storage import definitions, log
from audience_gql.storage.acting import deliveries
from audience_gql.storage.acting.deliveries import Chain, Lane, OutboxChange, Waiting
from audience_gql.storage.acting.models import Automation, WebhookEndpoint
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message that is ready for an attempt."""

    delivery: Waiting
    message: OutgoingMessage
    people: frozenset[int]
    """The people of whom the message contains data."""
    traces: Sequence[str]
    """Where its changes come from, as far as they were sampled for traces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forming:
    """The forming of one endpoint's messages in one lane, within one transaction."""

    ports: Ports
    cursors: CursorCodec
    ids: MessageIds
    connection: Connection
    endpoint: WebhookEndpoint
    lane: Lane
    now: datetime

    async def again(self, waiting: Waiting) -> Outgoing | None:
        """What the next attempt to send a message sends. None if it cannot be sent any more, because its automation was deleted."""
        automation = await Automation.get_or_none(id=waiting.automation_id)
        found = await self._changes(waiting.first_number - 1, waiting.last_number)
        if automation is None or not found:
            return None
        known = await self._known(found)
        return self._outgoing(automation, waiting, found, self._encoded(found, known), known)

    async def form(self, formed_to: int) -> Outgoing | None:
        """Form the next message from the changes after a number: as many as fit, of one automation. None if nothing is in the outbox."""
        while found := await self._changes(formed_to):
            same = _first_of_one(found)
            automation = await Automation.get_or_none(id=same[0].automation_id)
            if automation is not None:
                return await self._form_of(automation, same)
            await deliveries.forget_changes(
                self.connection, self.lane, same[0].automation_id, after=formed_to, upto=same[-1].number
            )
        return None

    async def _form_of(self, automation: Automation, found: Sequence[OutboxChange]) -> Outgoing:
        workspace = await Workspace.get(id=self.endpoint.workspace_id)
        extent = await log.extent(self.connection, workspace.id)
        before = await deliveries.chain(self.connection, self.lane, automation.id)
        after = await self._after(workspace, extent.heads, automation.id, before)
        messages = 1 if before is None else before.messages + 1
        floor = 0 if before is None else before.sequence

        def ending_with(last: OutboxChange) -> tuple[Waiting, Chain]:
            sequence = max(floor, last.sequence)
            positions = {**extent.heads, self.lane.bucket_id: sequence}
            cursor = self.cursors.encode(workspace, positions, message=messages)
            message = Waiting(
                id=0,
                automation_id=automation.id,
                epoch=workspace.log_epoch,
                first_number=found[0].number,
                last_number=last.number,
                after=after,
                cursor=cursor,
                attempts=0,
                step=0,
                next_attempt_at=self.now,
                created_at=self.now,
            )
            return message, Chain(messages, sequence, cursor)

        known = await self._known(found)
        encoded = self._encoded(found, known)
        longest, _ = ending_with(found[-1])
        count = fitting(self._envelope(automation, longest), encoded, self.ids)
        message, chain = ending_with(found[count - 1])
        message = message._replace(id=await self.ports.database.ids.one(self.connection))
        await deliveries.form(self.connection, self.lane, message, chain)
        return self._outgoing(automation, message, found[:count], encoded[:count], known)

    def _outgoing(
        self,
        automation: Automation,
        waiting: Waiting,
        found: Sequence[OutboxChange],
        changes: Sequence[bytes],
        known: Known,
    ) -> Outgoing:
        return Outgoing(
            delivery=waiting,
            message=OutgoingMessage(
                url=self.endpoint.url,
                message_id=self.ids.encode("message", self.lane.bucket_id, waiting.id, waiting.epoch),
                body=message_body(self._envelope(automation, waiting), changes, self.ids),
                secrets=valid_secrets(self.endpoint, self.now),
                sent_at=self.now,
            ),
            people=frozenset(known.people),
            traces=list(dict.fromkeys(change.trace for change in found if change.trace is not None)),
        )

    async def _after(
        self, workspace: Workspace, heads: Mapping[int, int], automation_id: int, before: Chain | None
    ) -> str:
        """The cursor of the message before. If it was dropped, or there is none, a cursor that leads to the same place of the log."""
        if before is None:
            begun = await deliveries.begun_after(self.connection, heads, automation_id)
            return self.cursors.encode(workspace, begun, message=0)
        if before.cursor is not None:
            return before.cursor
        positions = {**heads, self.lane.bucket_id: before.sequence}
        return self.cursors.encode(workspace, positions, message=before.messages)

    async def _changes(self, after: int, upto: int | None = None) -> list[OutboxChange]:
        bounds = {} if upto is None else {"upto": upto}
        return await deliveries.changes(
            self.connection, self.lane, after=after, limit=CHANGES_A_MESSAGE, **bounds
        )

    async def _known(self, changes: Sequence[OutboxChange]) -> Known:
        connection, fields = self.connection, {}
        if any(change.fields for change in changes):
            fields = await definitions.fields_by_key(connection, self.endpoint.workspace_id)
        people = {change.subscriber_id for change in changes}
        lists = {(change.list_kind, change.list_id) for change in changes}
        return Known(
            people=await deliveries.recipients(connection, self.lane.bucket_id, people),
            list_names=await deliveries.list_names(connection, lists),
            field_ids={key: field.id for key, field in fields.items()},
        )

    def _envelope(self, automation: Automation, message: Waiting) -> Envelope:
        return Envelope(
            automation_id=automation.id,
            automation_name=automation.name,
            lane=self.lane,
            after=message.after,
            cursor=message.cursor,
            formed_at=message.created_at,
        )

    def _encoded(self, changes: Sequence[OutboxChange], known: Known) -> list[bytes]:
        return [change_body(change, self.lane.bucket_id, known, self.ids) for change in changes]


def _first_of_one(changes: Sequence[OutboxChange]) -> list[OutboxChange]:
    """The first changes, as far as they are of the same automation."""
    return list(takewhile(lambda change: change.automation_id == changes[0].automation_id, changes))


def valid_secrets(endpoint: WebhookEndpoint, now: datetime) -> list[str]:
    """The secrets that sign now, the newest first."""
    is_previous_valid = endpoint.previous_until is not None and endpoint.previous_until > now
    previous = endpoint.previous_secret if is_previous_valid else None
    return [endpoint.secret] if previous is None else [endpoint.secret, previous]
