"""Puts what an automation's runs send to webhooks into the outbox, in the transaction that records the runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from audience_gql.audience.acting.automation import Automation, Webhook
from audience_gql.storage.acting import outbox
from audience_gql.storage.acting.outbox import NewChange
from audience_gql.storage.postgres.database import Connection


class ToldRun(NamedTuple):
    """A run that a receiver is to learn of."""

    run_id: int
    subscriber_id: int
    entered: bool
    cause: str
    occurred_at: datetime
    sequence: int | None
    """The change's place in the bucket's log, if the automation reads it in this step; None for a change before."""


async def tell(
    connection: Connection,
    *,
    bucket_id: int,
    automation: Automation,
    runs: Sequence[ToldRun],
    place: int,
    now: datetime,
) -> frozenset[int]:
    """Write the runs into the outbox, in their order. Returns the ids of the endpoints that have something to send now.

    `place` is how far the automation had read the log before this step. It stands for the place of a change that was read earlier.
    """
    if not runs:
        return frozenset()
    changes: dict[int, list[NewChange]] = defaultdict(list)
    webhooks = [action for action in automation.actions if isinstance(action, Webhook)]
    for run in runs:
        for webhook in webhooks:
            sequence = place if run.sequence is None else run.sequence
            changes[webhook.endpoint_id].append(NewChange(*run[:-1], sequence, webhook.fields))
    for endpoint_id in sorted(
        changes
    ):  # in one order, so that two automations never wait for each other's lanes
        await outbox.put(
            connection,
            bucket_id=bucket_id,
            endpoint_id=endpoint_id,
            automation_id=automation.id,
            list_kind=automation.trigger.list_kind,
            list_id=automation.trigger.list_id,
            changes=changes[endpoint_id],
            now=now,
        )
    return frozenset(changes)
