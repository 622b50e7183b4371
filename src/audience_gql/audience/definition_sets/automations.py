"""Applies the automations of a set. None of them acts because it is created or changed. New ones have not begun yet when this returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from audience_gql.audience.acting.automation import Automation
from audience_gql.audience.acting.editing import (
    check_automation,
    create_automation,
    pause_automation,
    resume_automation,
    update_automation,
)
from audience_gql.audience.acting.surroundings import GivenRules, Surroundings
from audience_gql.audience.definition_sets.given import GivenAutomation, Json
from audience_gql.audience.definition_sets.naming import NamedKind, Naming
from audience_gql.audience.definition_sets.plans import Step
from audience_gql.audience.definition_sets.telling import of_automation
from audience_gql.audience.definition_sets.values import is_described
from audience_gql.audience.definition_sets.work import Matched, Work
from audience_gql.conditions.input.respelling import ids_in
from audience_gql.storage.acting.models import Automation as Row

_Matched: TypeAlias = Matched[GivenAutomation, Row]
_KINDS: Final[Mapping[str, NamedKind]] = {
    "segment": "segment",
    "group": "group",
    "addToGroup": "group",
    "removeFromGroup": "group",
    "endpoint": "endpoint",
}
"""The keys of triggers and actions that hold a name, and of what."""


async def apply_automations(work: Work, given: Sequence[GivenAutomation]) -> None:
    """Apply them. The segments, groups and fields that they name must be applied before."""
    matches = work.match("AUTOMATION", given, work.stored.automations)
    if not matches:
        return
    # Read once: reading and checking all other definitions again for each automation would take a time that grows with the square.
    around = await Surroundings.read(work.connection, work.workspace, work.naming)
    for matched in matches:
        await work.make(matched, partial(_automation, work, matched, around), names=_names_in(matched.given))


async def _automation(work: Work, matched: _Matched, around: Surroundings) -> Step | None:
    given, row = matched.given, matched.row
    rules = _rules(given, work.naming)
    before = None if row is None else of_automation(row, work.naming)
    if row is None:
        after = await create_automation(
            ports=work.ports,
            workspace=work.workspace,
            name=given.name,
            description=given.description,
            rules=rules,
            ids=work.naming,
            begins=False,
            around=around,
        )
        work.new_automations.append(after.id)
    elif await _is_same(work, given, rules, row, around):
        after = row
    else:
        after = await update_automation(
            ports=work.ports,
            workspace=work.workspace,
            automation_id=row.id,
            name=given.name,
            description=given.description,
            rules=rules,
            ids=work.naming,
            if_revision=row.revision,
            around=around,
        )
    around.note(after)
    work.automation_names[after.id] = after.name
    is_toggled = given.is_paused is not None and given.is_paused != after.is_paused
    if after is row and not is_toggled:
        return None
    if is_toggled:
        after = await _toggled(work, after)
    return Step(
        kind="AUTOMATION",
        action="CREATE" if row is None else "UPDATE",
        id=after.id,
        name=after.name,
        revision=None if row is None else row.revision,
        before=before,
        after=of_automation(after, work.naming),
    )


async def _is_same(
    work: Work, given: GivenAutomation, rules: GivenRules, row: Row, around: Surroundings
) -> bool:
    """Whether the stored automation is the given one. Raises InvalidInput for rules that are wrong."""
    checked, _ = await check_automation(
        ports=work.ports, workspace=work.workspace, rules=rules, ids=work.naming, path=(), around=around
    )
    stored = Automation.of(row)
    return (
        (checked.trigger, checked.rules, checked.actions) == (stored.trigger, stored.rules, stored.actions)
        and row.name == given.name.strip()
        and is_described(row.description, given.description)
    )


async def _toggled(work: Work, row: Row) -> Row:
    """The automation paused, or else resumed without what happened in the meantime."""
    if row.is_paused:
        return await resume_automation(
            ports=work.ports, workspace=work.workspace, automation_id=row.id, catches_up=False
        )
    return await pause_automation(ports=work.ports, workspace=work.workspace, automation_id=row.id)


def _rules(given: GivenAutomation, naming: Naming) -> GivenRules:
    return GivenRules(
        trigger=_with_numbers(given.trigger, naming),
        on=given.on,
        hold_for=given.hold_for,
        reentry=given.reentry,
        causes=given.causes,
        only_if=given.only_if,
        actions=[_with_numbers(action, naming) for action in given.actions],
    )


def _with_numbers(given: Json, naming: Naming) -> dict[str, Any]:  # Any: the fields' own types
    """A trigger or an action with ids in place of names; None for unknown ones."""
    return {
        key: _with_numbers(value, naming)
        if key == "webhook"
        else naming.decode(_KINDS[key], value)
        if key in _KINDS
        else value
        for key, value in given.items()
    }


def _names_in(given: GivenAutomation) -> Iterator[tuple[NamedKind, str]]:
    if given.only_if is not None:
        yield from ids_in(given.only_if)
    for part in (given.trigger, *given.actions):
        yield from ((_KINDS[key], value) for key, value in part.items() if key in _KINDS)
