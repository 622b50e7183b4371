"""What would be stored after a set was applied: the conditions and automations, and what names what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from audience_gql.audience.definition_sets.given import DefinitionKind
from audience_gql.audience.definitions.readers import named_by
from audience_gql.audience.definitions.stored_conditions import StoredConditions
from audience_gql.conditions.base import InvalidCondition, Names, Read
from audience_gql.conditions.reasoning.dependencies import reads
from audience_gql.conditions.vocabulary import Vocabulary
from audience_gql.storage import definitions, segment_definitions
from audience_gql.storage.acting.models import Automation
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import Connection

_SOURCES: Final[Mapping[DefinitionKind, Literal["field", "group", "segment"]]] = {
    "CUSTOM_FIELD": "field",
    "GROUP": "group",
    "SEGMENT": "segment",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    vocabulary: Vocabulary
    names: Names
    conditions: StoredConditions
    paused_ids: frozenset[int]
    automations: list[Automation]
    _readers: Mapping[Read, list[int]]
    """The segments whose own condition reads something."""
    _users: Mapping[Read, list[str]]
    """The names of the automations that name something."""

    @classmethod
    async def read(cls, connection: Connection, workspace: Workspace) -> Outcome:
        """Read it in the transaction that has applied the set."""
        vocabulary, names = await definitions.vocabulary_and_names(connection, workspace.id)
        segments = await segment_definitions.segments(connection, workspace.id)
        conditions = StoredConditions(segments, vocabulary)
        readers: dict[Read, list[int]] = defaultdict(list)
        for segment_id in conditions:
            with suppress(InvalidCondition):  # this version cannot read it
                for read in reads(conditions[segment_id]):
                    readers[read].append(segment_id)
        automations = await Automation.filter(workspace_id=workspace.id).order_by("name_folded")
        users: dict[Read, list[str]] = defaultdict(list)
        for automation in automations:
            for read in named_by(automation, vocabulary):
                users[read].append(automation.name)
        return cls(
            vocabulary=vocabulary,
            names=names,
            conditions=conditions,
            paused_ids=frozenset(segment.id for segment in segments if segment.is_paused),
            automations=automations,
            _readers=readers,
            _users=users,
        )

    def name_of(self, segment_id: int) -> str:
        return self.names.segments[segment_id]

    def following(self, segment_ids: Collection[int]) -> list[int]:
        """The other segments that read one of these, directly or through others, sorted by name."""
        found = set(segment_ids)
        waiting = list(segment_ids)
        while waiting:
            read = Read(source="segment", ref=waiting.pop())
            more = set(self._readers.get(read, ())) - found
            found |= more
            waiting += more
        return sorted(found - set(segment_ids), key=self.name_of)

    def segments_reading(self, kind: DefinitionKind, number: int) -> tuple[str, ...]:
        read = self._read(kind, number)
        return tuple(sorted(map(self.name_of, self._readers.get(read, ())))) if read else ()

    def automations_naming(self, kind: DefinitionKind, number: int) -> tuple[str, ...]:
        read = self._read(kind, number)
        return tuple(sorted(self._users.get(read, ()))) if read else ()

    @staticmethod
    def _read(kind: DefinitionKind, number: int) -> Read | None:
        return Read(source=_SOURCES[kind], ref=number) if kind in _SOURCES else None
