"""A set of definitions as a caller gives it: names stand for ids, and nothing is checked yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

DefinitionKind: TypeAlias = Literal["CUSTOM_FIELD", "GROUP", "SEGMENT", "AUTOMATION"]
Json: TypeAlias = Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenField:
    key: str
    label: str
    type: str
    options: Sequence[str] | None

    @property
    def name(self) -> str:
        return self.key

    @property
    def renamed_from(self) -> None:
        """A key never changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenGroup:
    name: str
    renamed_from: str | None
    description: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenSegment:
    name: str
    renamed_from: str | None
    description: str | None
    condition: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAutomation:
    """`trigger`, `only_if` and `actions` have the shapes of the inputs of `createAutomation`."""

    name: str
    renamed_from: str | None
    description: str | None
    trigger: Json
    on: Sequence[str]
    hold_for: Json | None
    reentry: Json | None
    causes: Sequence[str] | None
    only_if: Json | None
    actions: Sequence[Json]
    is_paused: bool | None
    """None leaves it as it is; a new automation then acts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenSet:
    fields: Sequence[GivenField] = ()
    groups: Sequence[GivenGroup] = ()
    segments: Sequence[GivenSegment] = ()
    automations: Sequence[GivenAutomation] = ()
    prunes: bool = False
    """Whether the workspace's definitions that are absent here are deleted."""
