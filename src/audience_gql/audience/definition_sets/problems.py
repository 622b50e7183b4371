"""Says what is wrong with a set: each failure of a use case becomes issues at their places in the set, with names in place of ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from audience_gql.audience.acting.surroundings import AutomationLoop
from audience_gql.audience.definition_sets.naming import NamedKind, Naming
from audience_gql.audience.definitions.segments import InUse, SegmentCycle
from audience_gql.audience.failures import Failure, InvalidInput, Issue, Path
from audience_gql.conditions.words.similar import did_you_mean, similar

_UNKNOWN: Final[Mapping[str, tuple[NamedKind, str]]] = {
    "there is no segment with this id": ("segment", "segment"),
    "there is no group with this id": ("group", "group"),
    "there is no webhook endpoint with this id": ("endpoint", "webhook endpoint"),
}
"""How the use cases say that an id is unknown, by the beginning of the message."""


def issues_of(
    failure: Failure, path: Path, item: Mapping[str, Any], naming: Naming, automations: Mapping[int, str]
) -> list[Issue]:
    """The issues of a definition that a use case refused. `item` is the definition as it was given, at `path` in the set."""
    match failure:
        case InvalidInput():
            return [_named(issue, path, item, naming) for issue in failure.issues]
        case SegmentCycle():
            way = _way([naming.encode("segment", number) for number in failure.cycle])
            return [conflict(f"{failure.message}: {way}", (*path, *failure.path))]
        case AutomationLoop():
            names = [automations.get(link.automation_id, item["name"]) for link in failure.way]
            return [conflict(f"{failure.message}: {_way([*names, names[0]])}", (*path, *failure.path))]
        case InUse():
            users = [f'segment "{naming.encode("segment", number)}"' for number in failure.used_by]
            users += [f'automation "{automations.get(number, "?")}"' for number in failure.automation_ids]
            return [conflict(f"cannot be deleted, because it is used by {', '.join(users)}", path)]
    return [conflict(failure.message, (*path, *failure.path))]


def conflict(message: str, path: Path) -> Issue:
    return Issue(code="CONFLICT", message=message, path=path)


def in_a_circle(names: Sequence[str], path: Path) -> Issue:
    return conflict(f"a segment cannot contain itself: {_way(names)}", (*path, "condition"))


def _named(issue: Issue, path: Path, item: Mapping[str, Any], naming: Naming) -> Issue:
    """The same issue at its place in the set. If it says that an id is unknown, it speaks of the name that was given."""
    placed = replace(issue, path=(*path, *issue.path))
    for beginning, (kind, noun) in _UNKNOWN.items():
        if issue.message.startswith(beginning):
            name = _at(item, issue.path)
            near = similar(name, naming.names(kind).values())
            return replace(placed, message=f"there is no {noun} called {name!r}{did_you_mean(near)}")
    return placed


def _at(item: Any, path: Path) -> str:  # Any: JSON
    for part in path:
        try:
            item = item[int(part)] if isinstance(item, list) else item[part]
        except (KeyError, IndexError, TypeError, ValueError):
            return str(part)
    return str(item)


def _way(names: Sequence[str]) -> str:
    return " → ".join(f'"{name}"' for name in names)
