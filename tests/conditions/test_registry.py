"""A kind of condition is complete: this names whatever is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from audience_gql.conditions import registry
from audience_gql.conditions.input.shapes import Enumeration, EnumerationValue, InputField, Shape
from audience_gql.conditions.registry import Kind, condition_shape, input_types, kinds

_CASES = Path(__file__).parent / "cases"


def _tested() -> Iterator[tuple[str, str]]:
    """Every (input type, field or enum value) that some case uses."""
    for path in _CASES.glob("*.json"):
        given = json.loads(path.read_text())
        for condition in [case["condition"] for case in given["cases"]] + list(
            given.get("segments", {}).values()
        ):
            yield from _used(condition, condition_shape())


def _used(value: Mapping[str, Any], shape: Shape) -> Iterator[tuple[str, str]]:  # Any: JSON
    fields = {field.name: field for field in shape.fields}
    for name, item in value.items():
        yield shape.name, name
        for one in item if isinstance(item, list) else [item]:
            match fields[name].type:
                case Enumeration() as enumeration:
                    yield enumeration.name, one
                case Shape() as inner:
                    yield from _used(one, inner)
                case _ if isinstance(one, dict):
                    yield from _used(one, condition_shape())


_TESTED = frozenset(_tested())


def _members() -> Iterator[tuple[str, InputField | EnumerationValue]]:
    for declared in input_types():
        members: tuple[InputField | EnumerationValue, ...] = (
            declared.fields if isinstance(declared, Shape) else declared.values
        )
        yield from ((declared.name, member) for member in members)


@pytest.mark.parametrize(("owner", "member"), [(owner, member.name) for owner, member in _members()])
def test_has_a_case(owner: str, member: str) -> None:
    assert (owner, member) in _TESTED, f"no case in tests/conditions/cases uses {owner}.{member}"


@pytest.mark.parametrize("kind", kinds().values(), ids=lambda kind: kind.name)
def test_kinds_are_described(kind: Kind) -> None:
    assert kind.label
    assert kind.description.endswith(".")


@pytest.mark.parametrize("kind", kinds().values(), ids=lambda kind: kind.name)
def test_kinds_match_someone_and_not_everyone(kind: Kind) -> None:
    cases = [
        (len(case["matches"]), len(given["people"]))
        for given in map(json.loads, (path.read_text() for path in _CASES.glob("*.json")))
        for case in given["cases"]
        if kind.name in case["condition"]
    ]

    assert any(matches > 0 for matches, _ in cases), f"no case shows whom {kind.name} matches"
    assert any(matches < people for matches, people in cases), (
        f"no case shows whom {kind.name} does not match"
    )


def test_everything_is_described() -> None:
    for declared in input_types():
        assert declared.description.endswith("."), declared.name
    for owner, member in _members():
        assert member.description.endswith("."), f"{owner}.{member.name}"


def test_the_input_types_of_the_contract_are_there() -> None:
    """A new kind may add its own."""
    assert {declared.name for declared in input_types()} >= {
        "ConditionInput",
        "TextFilter",
        "BooleanFilter",
        "ListFilter",
        "DateFilter",
        "DateRange",
        "Days",
        "ChannelFilter",
        "Channel",
        "ChannelStatus",
        "SampleFilter",
        "NumberFilter",
        "NumberRange",
        "TimeFilter",
        "TimeRange",
        "Duration",
        "FieldFilter",
        "GroupFilter",
        "SegmentFilter",
        "EventFilter",
        "CountFilter",
        "CountRange",
        "TimeWindow",
        "DurationRange",
        "PropertyFilter",
        "EventTotalFilter",
        "TotalFunction",
        "EventTimeFilter",
    }


def test_two_kinds_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two kinds of condition are called country"):
        registry.register(kinds()["country"])
