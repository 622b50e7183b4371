"""Says what a set of definitions would change, and whom it would move.

It applies the set, remembers what would then be stored, and rolls everything back. Then it counts in one snapshot. It does not lock the
workspace's definitions, unless somebody else changes in the meantime what the set would change.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeAlias

from audience_gql.audience.definition_sets.applying import changed_within
from audience_gql.audience.definition_sets.given import DefinitionKind, GivenSet
from audience_gql.audience.definition_sets.movements import Movement, departures, movements
from audience_gql.audience.definition_sets.outcomes import Outcome
from audience_gql.audience.definition_sets.plans import Plan, Step
from audience_gql.audience.ports import Ports
from audience_gql.storage import definitions
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import RETRIABLE, Transaction

PlannedAction: TypeAlias = Literal["CREATE", "UPDATE", "DELETE", "FOLLOW"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChange:
    """A step with its consequences, or a segment that only follows: it stays as it is, and reads another one that changes."""

    kind: DefinitionKind
    action: PlannedAction
    name: str
    step: Step | None
    """None for a segment that only follows."""
    movement: Movement | None
    """Whom the change moves; None if it moves nobody, because no condition changes or because the segment is paused."""
    used_by: tuple[str, ...]
    """The names of the segments that read it afterwards, sorted."""
    automations: tuple[str, ...]
    """The names of the automations that it starts afterwards, or that name it, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    plan: Plan
    changes: tuple[PlannedChange, ...]


async def plan_definitions(
    *, ports: Ports, heavy_ports: Ports, workspace: Workspace, given: GivenSet
) -> Planned:
    """What `apply_definitions` would do now, and what would follow. Nothing is stored. Raises InvalidInput with all problems.

    `heavy_ports` are for the counts.
    """
    plan, outcome = await _rehearsed(ports, workspace, given)
    refilled = [step.id for step in plan.steps if step.kind == "SEGMENT" and _is_refilled(step)]
    following = outcome.following(refilled)
    async with heavy_ports.database.snapshot() as connection:
        now = await heavy_ports.clock.now(connection)
        moved = await movements(connection, workspace, outcome, [*refilled, *following], now)
        moved = {**moved, **await departures(connection, workspace, plan.steps)}
    changes = [_change(step, outcome, moved.get(step.id)) for step in plan.steps]
    changes += [_follower(number, outcome, moved.get(number)) for number in following]
    return Planned(plan=plan, changes=tuple(changes))


async def _rehearsed(ports: Ports, workspace: Workspace, given: GivenSet) -> tuple[Plan, Outcome]:
    """What the set would change, and what would then be stored."""

    async def work(transaction: Transaction) -> tuple[Plan, Outcome]:
        plan, _ = await changed_within(transaction, ports, workspace, given)
        return plan, await Outcome.read(transaction.connection, workspace)

    with suppress(*RETRIABLE), definitions.unlocked():
        return await ports.database.rehearse_in_snapshot(work)
    # Somebody has changed what the set changes, so now with the lock.
    return await ports.database.rehearse(work)


def _is_refilled(step: Step) -> bool:
    return step.action == "CREATE" or (step.action == "UPDATE" and "condition" in step.parts)


def _change(step: Step, outcome: Outcome, movement: Movement | None) -> PlannedChange:
    return PlannedChange(
        kind=step.kind,
        action=step.action,
        name=step.name,
        step=step,
        movement=movement,
        used_by=outcome.segments_reading(step.kind, step.id),
        automations=outcome.automations_naming(step.kind, step.id),
    )


def _follower(segment_id: int, outcome: Outcome, movement: Movement | None) -> PlannedChange:
    return PlannedChange(
        kind="SEGMENT",
        action="FOLLOW",
        name=outcome.name_of(segment_id),
        step=None,
        movement=movement,
        used_by=outcome.segments_reading("SEGMENT", segment_id),
        automations=outcome.automations_naming("SEGMENT", segment_id),
    )
