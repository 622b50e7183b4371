"""Opens the demo's shop at each start of the replay: a segment that the clock empties second by second, an automation that thanks, and the purchases of the last minutes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Final

from audience_gql.audience.definitions.segments import create_segment
from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.ports import Ports
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.demo.cdnow import purchases
from audience_gql.demo.loading import EVENT, collect
from audience_gql.demo.rhythm import Replayed, Rhythm
from audience_gql.storage.orm.models import Segment, Workspace

RECENT: Final = "Bought in the last 5 minutes"
THANKS: Final = "Thank-yous"
"""The name of an automation, and of the group to which it adds people."""
_WINDOW: Final = timedelta(minutes=5)
_MOST: Final = 1_000
"""The most events of one call. At one purchase a second, the window has far fewer."""


async def open_shop(*, ports: Ports, workspace: Workspace) -> None:
    """Create what is missing, and make the purchases of the last minutes, so that the clock moves people from the first second on.

    Purchases that were made already are not made again.
    """
    now = datetime.now(UTC)
    rhythm = await rhythm_of(workspace)
    missed = takewhile(lambda replayed: replayed.at < now, rhythm.since(now - _WINDOW))
    items = [repeated(replayed, replayed.at) for replayed in islice(missed, _MOST)]
    await track_events(ports=ports, workspace=workspace, items=items)
    segment = await _recent(ports, workspace)
    whom = "everybody who has just bought something"
    await collect(ports=ports, workspace=workspace, segment=segment, name=THANKS, whom=whom)


async def rhythm_of(workspace: Workspace) -> Rhythm:
    return await asyncio.to_thread(lambda: Rhythm(purchases(), workspace.created_at))


def repeated(replayed: Replayed, occurred_at: datetime) -> EventItem:
    """A purchase of the log, made at this instant."""
    return EventItem(
        subscriber=SubscriberKey(kind="externalId", value=replayed.purchase.customer_id),
        name=EVENT,
        occurred_at=occurred_at,
        value=replayed.purchase.dollars,
        properties={"quantity": replayed.purchase.quantity},
        key=replayed.key,
    )


async def _recent(ports: Ports, workspace: Workspace) -> Segment:
    found = await Segment.get_or_none(workspace_id=workspace.id, name=RECENT)
    return found or await create_segment(
        ports=ports,
        workspace=workspace,
        name=RECENT,
        description="Ordered in the last 5 minutes. The clock moves people out, second by second.",
        condition={
            "event": {"name": EVENT, "within": {"last": {"minutes": _WINDOW // timedelta(minutes=1)}}}
        },
        ids=PLAIN_IDS,
    )
