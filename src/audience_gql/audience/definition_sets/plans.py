"""What a set changes: one step for each definition, and an id by which a plan is recognised again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, TypeAlias

from audience_gql.audience.definition_sets.given import DefinitionKind

StepAction: TypeAlias = Literal["CREATE", "UPDATE", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One definition that is created, changed or deleted."""

    kind: DefinitionKind
    action: StepAction
    id: int
    """A new number for something that is created."""
    name: str
    """The name afterwards; for something deleted, the last one."""
    revision: int | None
    """The revision that is changed or deleted; None for something new, and for groups and custom fields."""
    before: dict[str, Any] | None  # Any: JSON
    """The definition in the shape in which a set gives it; None for something new."""
    after: dict[str, Any] | None  # Any: JSON
    """The same afterwards; None for something deleted."""
    lines_added: tuple[str, ...] = ()
    """How the condition of a segment changes, in words."""
    lines_removed: tuple[str, ...] = ()

    @property
    def parts(self) -> list[str]:
        """The names of the parts that an update changes, in the order of the shape."""
        before, after = self.before or {}, self.after or {}
        names = [*after, *(name for name in before if name not in after)]
        return [name for name in names if before.get(name) != after.get(name)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    steps: tuple[Step, ...]
    """In the order in which they are made."""
    unchanged: int
    """How many definitions of the set are as they are in the workspace."""
    unmanaged: tuple[tuple[DefinitionKind, str], ...]
    """Definitions of the workspace that are absent from the set and stay. Kind and name of each."""

    @property
    def id(self) -> str:
        """A digest of the steps with the revisions that they start from. Equal plans have equal ids."""
        told = sorted(json.dumps(_digested(step), sort_keys=True) for step in self.steps)
        return sha256("\n".join(told).encode()).hexdigest()[:32]


def _digested(step: Step) -> list[object]:
    """What makes a step another one. The number of something new is not known before."""
    number = None if step.action == "CREATE" else step.id
    return [step.kind, step.action, number, step.name, step.revision, step.before, step.after]
