"""Tells a plan to people: one line for each definition, and below it what changes and whom it moves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

Json: TypeAlias = Mapping[str, Any]  # Any: JSON
_SIGNS: Final = {"CREATE": "+", "UPDATE": "~", "DELETE": "-", "FOLLOW": ">"}
_NOUNS: Final = {
    "CUSTOM_FIELD": "custom field",
    "GROUP": "group",
    "SEGMENT": "segment",
    "AUTOMATION": "automation",
}
_MOST_UNMANAGED: Final = 10


def counts_of(plan: Json) -> dict[str, int]:
    """How many definitions a plan creates, changes and deletes."""
    found = Counter(change["action"] for change in plan["changes"])
    return {"create": found["CREATE"], "change": found["UPDATE"], "delete": found["DELETE"]}


def has_changes(plan: Json) -> bool:
    return any(counts_of(plan).values())


def told(plan: Json) -> Iterator[str]:
    """The lines of a plan."""
    for change in plan["changes"]:
        yield from _change(change)
        yield ""
    if plan["unmanaged"]:
        yield from _unmanaged(plan["unmanaged"])
        yield ""
    counts = counts_of(plan)
    counted = ", ".join(f"{number} to {verb}" for verb, number in counts.items())
    yield f"Plan: {counted}, {plan['unchanged']} unchanged."


def _change(change: Json) -> Iterator[str]:
    name = f'{_NOUNS[change["kind"]]} "{change["name"]}"'
    revision = f" revision {change['revision']}" if change["revision"] is not None else ""
    yield f"{_SIGNS[change['action']]} {name}{revision}{_moves(change)}"
    if change["action"] == "UPDATE":
        for part in change["parts"]:
            yield from _part(part, change)
    elif change["action"] == "CREATE":
        yield from (f"    {line}" for line in change["linesAdded"])
    yield from _consequences(change)


def _moves(change: Json) -> str:
    """How many people the change moves, as the end of its line."""
    movement = change["movement"]
    if movement is None:
        return ""
    about = f" (± {movement['margin']:,})" if movement["margin"] else ""
    size = f"{people(movement['memberCount'])}{about}"
    if change["action"] == "CREATE":
        return f": would have {size}"
    if change["action"] == "DELETE":
        return f": {people(movement['leaving'])} would leave"
    return f": {movement['entering']:,} would enter, {movement['leaving']:,} would leave, then {size}"


def _part(part: str, change: Json) -> Iterator[str]:
    yield f"    {part}:"
    if part == "condition":
        yield from (f"      - {line}" for line in change["linesRemoved"])
        yield from (f"      + {line}" for line in change["linesAdded"])
        return
    for sign, side in (("-", change["before"]), ("+", change["after"])):
        if part in side:
            yield f"      {sign} {json.dumps(side[part], ensure_ascii=False)}"


def _consequences(change: Json) -> Iterator[str]:
    movement = change["movement"]
    for start in movement["starts"] if movement else ():
        verb = "enter" if start["on"] == "ENTERED" else "leave"
        most = "at most " if start["isAtMost"] else ""
        yield f'    starts the automation "{start["automation"]}" for {most}{people(start["people"])} who {verb}'
    if change["action"] == "CREATE":
        return
    if change["usedBy"]:
        yield f"    is read by {_listed('segment', change['usedBy'])}"
    started = {start["automation"] for start in movement["starts"]} if movement else set()
    if others := [name for name in change["automations"] if name not in started]:
        not_started = ", not started by edits" if movement else ""
        yield f"    is used by {_listed('automation', others)}{not_started}"


def _unmanaged(unmanaged: Sequence[Json]) -> Iterator[str]:
    yield "Not in the files, and kept (--prune deletes it):"
    for each in unmanaged[:_MOST_UNMANAGED]:
        yield f'    {_NOUNS[each["kind"]]} "{each["name"]}"'
    if len(unmanaged) > _MOST_UNMANAGED:
        yield f"    and {len(unmanaged) - _MOST_UNMANAGED} more"


def _listed(noun: str, names: Sequence[str]) -> str:
    return f"the {noun}{'' if len(names) == 1 else 's'} " + ", ".join(f'"{name}"' for name in names)


def people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"
