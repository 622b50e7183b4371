"""Applies a set of definitions in one transaction, with the use cases that change each of them alone.

It finds all problems before it gives up: each use case is a savepoint. It must not decide what a definition may be; the use cases do.
"""

from __future__ import annotations

from dataclasses import replace

from audience_gql.audience.acting.editing import begin_automations
from audience_gql.audience.definition_sets.automations import apply_automations
from audience_gql.audience.definition_sets.given import GivenSet
from audience_gql.audience.definition_sets.plans import Plan
from audience_gql.audience.definition_sets.pruning import prune
from audience_gql.audience.definition_sets.segments import apply_segments
from audience_gql.audience.definition_sets.telling import Stored
from audience_gql.audience.definition_sets.values import apply_fields, apply_groups
from audience_gql.audience.definition_sets.work import Work, name_of
from audience_gql.audience.failures import Failure, InvalidInput
from audience_gql.audience.ports import Ports
from audience_gql.storage import definitions
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Transaction
from audience_gql.storage.postgres.joined import JoinedDatabase


class PlanConflict(Failure):
    """The workspace was changed after the plan, so that the set would now change something else."""

    def __init__(self, plan_id: str) -> None:
        message = "the definitions have changed since this plan was made; look at a new plan"
        super().__init__(message, ("if_plan",))
        self.plan_id = plan_id


async def apply_definitions(
    *, ports: Ports, workspace: Workspace, given: GivenSet, if_plan: str | None = None
) -> Plan:
    """Bring the workspace to a set of definitions: to all of it, or nothing changes. Returns what was changed.

    With `if_plan`, the id of a plan, nothing else than this plan is applied. Raises InvalidInput with all problems, PlanConflict.
    """

    async def work(transaction: Transaction) -> Plan:
        plan, new_automations = await changed_within(transaction, ports, workspace, given)
        if if_plan is not None and if_plan != plan.id:
            raise PlanConflict(plan.id)
        if new_automations:  # last, because ticks wait from here to the commit
            await begin_automations(transaction.connection, workspace, new_automations)
        return plan

    return await ports.database.run(work)


async def changed_within(
    transaction: Transaction, ports: Ports, workspace: Workspace, given: GivenSet
) -> tuple[Plan, list[int]]:
    """Apply a set within an open transaction, which the caller commits or rolls back.

    Returns what it changes, and the ids of new automations, which the caller lets begin before a commit. Raises InvalidInput.
    """
    connection = transaction.connection
    await definitions.lock_workspace(connection, workspace.id)
    inner = replace(ports, database=JoinedDatabase(ports.database, transaction))
    work = Work(inner, workspace, connection, await Stored.read(workspace))
    await apply_fields(work, given.fields)
    await apply_groups(work, given.groups)
    await apply_segments(work, given.segments)
    await apply_automations(work, given.automations)
    absent = [(kind, name_of(row)) for kind, row in work.absent()]
    if given.prunes and not work.issues:
        await prune(work)
    if work.issues:
        raise InvalidInput(tuple(work.issues))
    unmanaged = () if given.prunes else tuple(absent)
    plan = Plan(steps=tuple(work.steps), unchanged=work.unchanged, unmanaged=unmanaged)
    return plan, work.new_automations
