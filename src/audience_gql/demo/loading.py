"""Fills the demo's workspace: people, groups and purchases, then the segments and an automation. After an interruption it continues where it stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from audience_gql.audience.acting.editing import create_automation
from audience_gql.audience.acting.surroundings import GivenRules
from audience_gql.audience.definitions.fields import define_custom_field
from audience_gql.audience.definitions.groups import create_group
from audience_gql.audience.definitions.segments import create_segment
from audience_gql.audience.failures import NameTaken
from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import SubscriberKey
from audience_gql.audience.people.subscribers import upsert_subscribers
from audience_gql.audience.ports import Ports
from audience_gql.audience.workspaces import create_workspace
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.demo.cdnow import CUSTOMERS, PURCHASES, Purchase, occurred_at, purchases
from audience_gql.storage.acting.models import Automation
from audience_gql.storage.orm.models import CustomField, Group, Segment, Workspace
from audience_gql.storage.schema import analyze

WORKSPACE: Final = "CDNOW"
EVENT: Final = "order_placed"
WIN_BACK: Final = "Win back"
"""The name of an automation, and of the group to which it adds people."""
_LEAVING: Final = "Loyal and lapsing"
COHORTS: Final = {"1997-01": "January 1997", "1997-02": "February 1997", "1997-03": "March 1997"}
_BATCH: Final = 1000
_AT_A_TIME: Final = 3

Advance = Callable[[int], None]
"""Called with the number of people or purchases that were just loaded."""

STEPS: Final = CUSTOMERS + PURCHASES


async def open_workspace(*, ports: Ports) -> Workspace:
    """The demo's workspace, created at the first start. Its time of creation decides how the log is shifted in time."""
    try:
        return await create_workspace(ports=ports, name=WORKSPACE)
    except NameTaken:
        return await Workspace.get(name=WORKSPACE)


async def is_loaded(workspace: Workspace) -> bool:
    """Whether everything is there. The automation is created last."""
    return await Automation.filter(workspace_id=workspace.id, name=WIN_BACK).exists()


async def load(*, ports: Ports, workspace: Workspace, advance: Advance) -> None:
    """Load everything that is missing. Each step can be repeated, because people have external ids and purchases have keys."""
    log = list(purchases())
    first_day: dict[str, str] = {}
    for purchase in log:
        month = purchase.day.strftime("%Y-%m")
        first_day[purchase.customer_id] = min(first_day.get(purchase.customer_id, month), month)
    groups = await _define(ports, workspace)
    people = [_person(customer_id, cohort, groups) for customer_id, cohort in first_day.items()]
    await _in_batches(people, advance, lambda batch: _upsert(ports, workspace, batch))
    events = [_event(purchase, workspace.created_at) for purchase in log]
    await _in_batches(events, advance, lambda batch: _track(ports, workspace, batch))
    await analyze(ports.database)
    segments = await _create_segments(ports, workspace)
    await collect(
        ports=ports,
        workspace=workspace,
        segment=segments[_LEAVING],
        name=WIN_BACK,
        whom="loyal customers who may be about to leave",
    )


async def collect(*, ports: Ports, workspace: Workspace, segment: Segment, name: str, whom: str) -> None:
    """Add everybody who enters the segment to a group, unless this is done already. It begins with those who are there when the segment is filled."""
    if await Automation.filter(workspace_id=workspace.id, name=name).exists():
        return
    group = await _group(ports, workspace, name, f"Has {whom}.")
    await create_automation(
        ports=ports,
        workspace=workspace,
        name=name,
        description=f"Collects {whom}.",
        rules=GivenRules(trigger={"segment": segment.id}, on=["ENTERED"], actions=[{"addToGroup": group.id}]),
        ids=PLAIN_IDS,
        fires_for_existing=True,
    )


async def _define(ports: Ports, workspace: Workspace) -> dict[str, Group]:
    if not await CustomField.filter(workspace_id=workspace.id, key="cohort").exists():
        await define_custom_field(ports=ports, workspace=workspace, key="cohort", label="Cohort", type="TEXT")
    return {
        cohort: await _group(ports, workspace, name, f"First bought in {name}.")
        for cohort, name in COHORTS.items()
    }


async def _group(ports: Ports, workspace: Workspace, name: str, description: str) -> Group:
    found = await Group.get_or_none(workspace_id=workspace.id, name=name)
    return found or await create_group(ports=ports, workspace=workspace, name=name, description=description)


def _person(customer_id: str, cohort: str, groups: dict[str, Group]) -> dict[str, object]:
    return {
        "externalId": customer_id,
        "email": f"{customer_id}@cdnow.example",
        "fields": [{"key": "cohort", "value": cohort}],
        "addToGroupIds": [groups[cohort].id],
    }


def _event(purchase: Purchase, first_start: datetime) -> EventItem:
    return EventItem(
        subscriber=SubscriberKey(kind="externalId", value=purchase.customer_id),
        name=EVENT,
        occurred_at=occurred_at(purchase, first_start),
        value=purchase.dollars,
        properties={"quantity": purchase.quantity},
        key=str(purchase.line),
    )


async def _upsert(ports: Ports, workspace: Workspace, batch: Sequence[dict[str, object]]) -> None:
    upserted = await upsert_subscribers(ports=ports, workspace=workspace, items=batch, bulk=True)
    if upserted.rejects:
        raise RuntimeError(f"the demo's data was refused: {upserted.rejects[0]}")


async def _track(ports: Ports, workspace: Workspace, batch: Sequence[EventItem]) -> None:
    tracked = await track_events(ports=ports, workspace=workspace, items=batch, bulk=True)
    if tracked.rejects:
        raise RuntimeError(f"the demo's data was refused: {tracked.rejects[0]}")


async def _in_batches(
    items: Sequence[Any],  # Any: people or events
    advance: Advance,
    write: Callable[[Sequence[Any]], Awaitable[None]],  # Any: the same
) -> None:
    """Write the items in batches, a few at a time: while Postgres writes one, the next is prepared."""
    slots = asyncio.Semaphore(_AT_A_TIME)

    async def one(batch: Sequence[Any]) -> None:  # Any: the same
        async with slots:
            await write(batch)
        advance(len(batch))

    async with asyncio.TaskGroup() as tasks:
        for start in range(0, len(items), _BATCH):
            tasks.create_task(one(items[start : start + _BATCH]))


async def _create_segments(ports: Ports, workspace: Workspace) -> dict[str, Segment]:
    made: dict[str, Segment] = {}
    for name, description, condition in _segments():
        found = await Segment.get_or_none(workspace_id=workspace.id, name=name)
        made[name] = found or await create_segment(
            ports=ports,
            workspace=workspace,
            name=name,
            description=description,
            condition=condition(made),
            ids=PLAIN_IDS,
        )
    return made


def _segments() -> Iterable[tuple[str, str, Callable[[dict[str, Segment]], object]]]:
    yield (
        "Big spenders",
        "Spent more than 200 dollars in total.",
        lambda _: {
            "eventTotal": {"name": EVENT, "of": "value", "function": "SUM", "is": {"gt": 200}},
        },
    )
    yield (
        "Loyal",
        "Ordered five times or more.",
        lambda _: {"event": {"name": EVENT, "times": {"atLeast": 5}}},
    )
    yield "Active buyers", "Ordered in the last 30 days.", lambda _: _ordered(days=30)
    yield (
        "Lapsing",
        "Ordered in the last 90 days, but not in the last 30.",
        lambda _: {"all": [_ordered(days=90), {"not": _ordered(days=30)}]},
    )
    yield "Lost", "No order in 365 days.", lambda _: {"not": _ordered(days=365)}
    yield (
        _LEAVING,
        "Loyal customers who may be about to leave.",
        lambda made: {"all": [_in(made["Loyal"]), _in(made["Lapsing"])]},
    )


def _ordered(*, days: int) -> dict[str, object]:
    return {"event": {"name": EVENT, "within": {"last": {"days": days}}}}


def _in(segment: Segment) -> dict[str, object]:
    return {"segment": {"anyOf": [str(segment.id)]}}
