"""The state of one application of a set: what is stored, what has been done, and what was refused.

A definition that names a refused one is left out silently, because its own problem would only repeat the first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

from audience_gql.audience.definition_sets.given import DefinitionKind
from audience_gql.audience.definition_sets.naming import NamedKind, same_name
from audience_gql.audience.definition_sets.plans import Step
from audience_gql.audience.definition_sets.problems import conflict, issues_of
from audience_gql.audience.definition_sets.telling import Stored
from audience_gql.audience.failures import Failure, Issue, Path
from audience_gql.audience.ports import Ports
from audience_gql.storage.acting.models import Automation
from audience_gql.storage.orm.models import CustomField, Group, Segment, Workspace
from audience_gql.storage.postgres.database import Connection

Row: TypeAlias = CustomField | Group | Segment | Automation
_PLURALS: Final[Mapping[DefinitionKind, str]] = {
    "CUSTOM_FIELD": "custom_fields",
    "GROUP": "groups",
    "SEGMENT": "segments",
    "AUTOMATION": "automations",
}
"""The parts of a set."""
_NAMED: Final[Mapping[DefinitionKind, NamedKind]] = {"GROUP": "group", "SEGMENT": "segment"}


class Given(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def renamed_from(self) -> str | None: ...


GivenT = TypeVar("GivenT", bound=Given)
RowT = TypeVar("RowT", bound=Row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched(Generic[GivenT, RowT]):
    """A definition as it is given, and as it is stored."""

    kind: DefinitionKind
    given: GivenT
    row: RowT | None
    """None for a new one."""
    path: Path
    """Where it is in the set."""


class Work:
    """One application. `connection` is that of the transaction, and the ports run everything inside it."""

    def __init__(self, ports: Ports, workspace: Workspace, connection: Connection, stored: Stored) -> None:
        self.ports = ports
        self.workspace = workspace
        self.connection = connection
        self.stored = stored
        self.naming = stored.naming
        self.automation_names = {row.id: row.name for row in stored.automations}
        self.new_automations: list[int] = []
        self.steps: list[Step] = []
        self.issues: list[Issue] = []
        self.unchanged = 0
        self._kept: set[int] = set()
        self._refused: set[tuple[NamedKind, str]] = set()

    def match(
        self, kind: DefinitionKind, given: Sequence[GivenT], rows: Sequence[RowT]
    ) -> list[Matched[GivenT, RowT]]:
        """Each given definition with the stored one of the same name, or else of its former name. One that is given twice is refused."""
        by_name = {same_name(name_of(row)): row for row in rows}
        found = []
        taken: set[str] = set()
        for index, each in enumerate(given):
            path: Path = ("definitions", _PLURALS[kind], index)
            row = by_name.get(same_name(each.name))
            if row is None and each.renamed_from is not None:
                row = by_name.get(same_name(each.renamed_from))
            known_as = same_name(each.name) if row is None else same_name(name_of(row))
            if known_as in taken:
                self._refuse(kind, each, [conflict(f"{each.name!r} is given twice", path)])
                continue
            taken.add(known_as)
            if row is not None:
                self._kept.add(row.id)
            found.append(Matched(kind=kind, given=each, row=row, path=path))
        return found

    async def make(
        self,
        matched: Matched[GivenT, RowT],
        change: Callable[[], Awaitable[Step | None]],
        *,
        names: Iterable[tuple[NamedKind, str]] = (),
    ) -> None:
        """Make a change, which returns its step, or None if there is nothing to change. `names` are what the definition refers to."""
        if any((kind, same_name(name)) in self._refused for kind, name in names):
            self._refuse(matched.kind, matched.given, [])
            return
        try:
            step = await change()
        except Failure as failure:
            item = {field.name: getattr(matched.given, field.name) for field in fields(matched.given)}  # type: ignore[arg-type]  # what is given is a dataclass
            issues = issues_of(failure, matched.path, item, self.naming, self.automation_names)
            self._refuse(matched.kind, matched.given, issues)
            return
        if step is None:
            self.unchanged += 1
        else:
            self.steps.append(step)

    def refuse(self, matched: Matched[GivenT, RowT], issue: Issue) -> None:
        self._refuse(matched.kind, matched.given, [issue])

    def absent(self) -> Iterator[tuple[DefinitionKind, Row]]:
        """What is stored and was not matched."""
        stored = self.stored
        rows: list[tuple[DefinitionKind, Sequence[Row]]] = [
            ("CUSTOM_FIELD", stored.fields),
            ("GROUP", stored.groups),
            ("SEGMENT", stored.segments),
            ("AUTOMATION", stored.automations),
        ]
        for kind, of_kind in rows:
            yield from ((kind, row) for row in of_kind if row.id not in self._kept)

    def _refuse(self, kind: DefinitionKind, given: Given, issues: Sequence[Issue]) -> None:
        self.issues += issues
        if kind in _NAMED:
            self._refused.add((_NAMED[kind], same_name(given.name)))


def name_of(row: Row) -> str:
    return row.key if isinstance(row, CustomField) else row.name
