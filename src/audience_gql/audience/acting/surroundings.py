"""What a save of an automation needs to know about its workspace, and what it checks with that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from audience_gql.audience.acting.automation import Automation, Rules, Trigger, dump_actions
from audience_gql.audience.acting.given import Checking, Known
from audience_gql.audience.acting.loops import Link, Starts
from audience_gql.audience.definitions.stored_conditions import StoredConditions
from audience_gql.audience.failures import Failure, InvalidInput, Issue, Path
from audience_gql.audience.people.keys import UNSET, Unset
from audience_gql.conditions.base import Read
from audience_gql.conditions.vocabulary import IdCodec
from audience_gql.storage import definitions, segment_definitions
from audience_gql.storage.acting.models import Automation as Row
from audience_gql.storage.acting.models import WebhookEndpoint
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Connection


class AutomationLoop(Failure):
    """The automation would start itself again. `way` has the automations on the way round, from this one on."""

    def __init__(self, way: tuple[Link, ...]) -> None:
        message = (
            "the automation would start itself again and again; let `reentry` bound it, or change an action"
        )
        super().__init__(message, ("actions",))
        self.way = way


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenRules:
    """The parts of an automation as a caller gives them. UNSET parts of an edit stay as they are.

    `trigger` is {"segment": id} or {"group": id}, `on` holds ENTERED, LEFT or both, and `actions` are objects with one key. Ids are
    integers, or None for malformed ones.
    """

    trigger: Mapping[str, object] | Unset = UNSET
    on: Sequence[str] | Unset = UNSET
    hold_for: object = UNSET
    reentry: object = UNSET
    causes: Sequence[str] | Unset | None = UNSET
    only_if: object = UNSET
    actions: Sequence[Mapping[str, Any]] | Unset = UNSET  # Any: each action's own input


class Surroundings:
    """What saves of automations need to know about their workspace, read under the workspace's lock and good until it ends."""

    def __init__(self, known: Known, conditions: StoredConditions, others: Sequence[Row]) -> None:
        self._known = known
        self._conditions = conditions
        self._automations = {row.id: Automation.of(row) for row in others}
        self._reads: dict[int, frozenset[Read]] = {}

    @classmethod
    async def read(cls, connection: Connection, workspace: Workspace, ids: IdCodec) -> Surroundings:
        vocabulary = await definitions.vocabulary(connection, workspace.id)
        segments = await segment_definitions.segments(connection, workspace.id)
        endpoints = await WebhookEndpoint.filter(workspace_id=workspace.id)
        known = Known(
            vocabulary=vocabulary,
            paused_segment_ids=frozenset(segment.id for segment in segments if segment.is_paused),
            endpoint_ids=frozenset(endpoint.id for endpoint in endpoints),
            ids=ids,
        )
        others = await Row.filter(workspace_id=workspace.id)
        return cls(known, StoredConditions(segments, vocabulary), others)

    def note(self, row: Row) -> None:
        """Count this automation, as it was saved, among the others."""
        self._automations[row.id] = Automation.of(row)

    def apply(self, row: Row, given: GivenRules, issues: Sequence[Issue], *, stored: Rules | None) -> None:
        """Write the given parts into the row, whose rules are `stored`; None for a new one.

        Raises InvalidInput with their problems and with `issues`, and AutomationLoop.
        """
        self.write(row, given, issues, stored=stored)
        if way := self.loop_through(row):
            raise AutomationLoop(way)

    def write(
        self, row: Row, given: GivenRules, issues: Sequence[Issue], *, stored: Rules | None, path: Path = ()
    ) -> None:
        """The same without a look for loops."""
        checking = Checking(self._known, path, list(issues))
        trigger = self._trigger(row, given, checking)
        rules = self._rules(given, checking, stored)
        actions = None if isinstance(given.actions, Unset) else checking.actions(given.actions)
        if checking.issues:
            raise InvalidInput(tuple(checking.issues))
        if trigger is not None:
            row.list_kind, row.list_id = trigger.list_kind, trigger.list_id
            row.on_entered, row.on_left = trigger.on_entered, trigger.on_left
        row.rules = rules.dump()
        if actions is not None:
            row.actions = dump_actions(actions)

    @staticmethod
    def _trigger(row: Row, given: GivenRules, checking: Checking) -> Trigger | None:
        if isinstance(given.trigger, Unset) and isinstance(given.on, Unset):
            return None
        wanted = given.trigger
        if isinstance(wanted, Unset):
            wanted = {row.list_kind.lower(): row.list_id}
        on = given.on
        if isinstance(on, Unset):
            on = [kind for kind, fires in (("ENTERED", row.on_entered), ("LEFT", row.on_left)) if fires]
        return checking.trigger(wanted, on)

    @staticmethod
    def _rules(given: GivenRules, checking: Checking, stored: Rules | None) -> Rules:
        """The given rules, and the stored ones for those that are not given."""
        checked = checking.rules(
            hold_for=None if given.hold_for is UNSET else given.hold_for,
            reentry=None if given.reentry is UNSET else given.reentry,
            causes=None if isinstance(given.causes, Unset) else given.causes,
            only_if=None if given.only_if is UNSET else given.only_if,
        )
        if stored is None:
            return checked
        kept = {
            "hold": given.hold_for,
            "reentry": given.reentry,
            "causes": given.causes,
            "only_if": given.only_if,
        }
        return replace(
            checked, **{name: getattr(stored, name) for name, part in kept.items() if part is UNSET}
        )

    def loop_through(self, row: Row) -> tuple[Link, ...]:
        """The way on which this automation would start itself again; () if it would not."""
        starts = Starts(
            automations=self._automations | {row.id: Automation.of(row)},
            conditions=self._conditions,
            vocabulary=self._known.vocabulary,
            known_reads=self._reads,
        )
        return starts.loop_through(row.id)
