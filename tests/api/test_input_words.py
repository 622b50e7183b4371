"""What is wrong with a value is told in our own words, with a code and a path, the same for literals and for variables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import get_named_type, is_input_object_type, is_list_type, is_non_null_type, is_nullable_type

from tests.api.positions import Enum, Position, positions, valid

FOREIGN = re.compile(
    r"Maybe\[|NoneType|\bNone\b|isoformat|Traceback|strawberry|graphql-core|asyncpg|universal-newline|'dict'|'str'|\bdict\b"
    r"|Expected value|cannot represent|object at 0x|<class|Exception|Error\b|Decimal|codec|utf-8' ",
)
"""Words of a language or a library."""
PREVIEW = "query ($c: ConditionInput!) { previewSegment(condition: $c) { __typename } }"
_WRONG = {"Int": "x", "Float": "x", "String": 5, "ID": 1.5, "Boolean": "x", "Date": 5, "DateTime": 5}


def faults(position: Position) -> Iterator[tuple[str, Any, list[str]]]:
    """What a caller may do wrong there, and the path that is to be told."""
    type_: Any = position.type
    named: Any = get_named_type(type_)
    if is_non_null_type(type_) or (position.owner is not None and position.owner.is_one_of):
        yield "null", None, position.path
    if is_list_type(type_ if is_nullable_type(type_) else type_.of_type):
        return  # its item is a position of its own
    if is_input_object_type(named):
        yield "a number for an object", 5, position.path
        yield "a list for an object", [valid(named)], position.path
        yield "an unknown field", {**valid(named), "unknwon": 1}, [*position.path, "unknwon"]
        if named.is_one_of:
            first, second, *_ = named.fields
            both = {name: valid(named.fields[name].type) for name in (first, second)}
            yield "two of one", both, position.path
            yield "none of one", {}, position.path
    elif named.name in _WRONG:
        yield "another type", _WRONG[named.name], position.path
        yield "an object", {"a": 1}, position.path
    elif named.name != "JSON":
        yield "an unknown value", Enum("NOPE"), position.path
        yield "another type", 5, position.path


@pytest.mark.slow
async def test_every_fault_at_every_position_has_a_code_and_a_path_and_our_own_words(api, capsys):
    counts: dict[str, int] = {}
    wrong: list[str] = []
    for position in positions(api.schema._schema):
        for name, value, path in faults(position):
            counts[name] = counts.get(name, 0) + 1
            literal = await api.errors(position.by_literal(value))
            variable = await api.errors(position.by_variable(), value=position.value(value))
            if problem := misfit(literal, variable, path):
                wrong.append(f"{position}, {name}: {problem}")

    with capsys.disabled():
        print(f"\n{sum(counts.values())} faults, each by literal and by variable: {counts}")
    assert wrong == []
    assert sum(counts.values()) > 1_000


def misfit(literal: list[Any], variable: list[Any], path: list[str]) -> str | None:
    """What is not as it should be with the two answers to one fault."""
    if len(literal) != 1 or len(variable) != 1:
        return f"{len(literal)} errors of the literal, {len(variable)} of the variable: {literal} {variable}"
    told, same = literal[0], variable[0]
    if told["message"] != same["message"] or told["extensions"]["issues"] != same["extensions"]["issues"]:
        return f"{told} differs from {same}"
    if (told["extensions"]["code"], same["extensions"]["code"]) != (
        "GRAPHQL_VALIDATION_FAILED",
        "BAD_USER_INPUT",
    ):
        return f"codes of {told} and {same}"
    (issue,) = told["extensions"]["issues"]
    if issue["path"] != path:
        return f"path is {issue['path']}, not {path}"
    return f"foreign: {told['message']}" if FOREIGN.search(told["message"]) else None


SEVERAL = {
    "all": [
        {"country": {"is": "LT", "isNot": "LV"}},
        {"horoscope": {}},
        {"email": {"iss": "x"}},
        {"country": {"is": 5}},
    ]
}


async def test_all_problems_are_told_at_once(api):
    literal = await api.errors(
        '{ previewSegment(condition: {all: [{country: {is: "LT", isNot: "LV"}}, {horoscope: {}}, {email: {iss: "x"}}, '
        "{country: {is: 5}}]}) { __typename } }"
    )
    variable = await api.errors(PREVIEW, c=SEVERAL)

    for told in (literal, variable):
        assert [
            (issue["code"], issue["path"]) for error in told for issue in error["extensions"]["issues"]
        ] == [
            ("CONFLICT", ["condition", "all", "0", "country"]),
            ("UNKNOWN", ["condition", "all", "1", "horoscope"]),
            ("UNKNOWN", ["condition", "all", "2", "email", "iss"]),
            ("WRONG_TYPE", ["condition", "all", "3", "country", "is"]),
        ]
    assert literal[0]["message"] == "condition.all.0.country: give only one of is, isNot"
    assert literal[2]["message"].endswith("TextFilter has no field iss; did you mean is?")


@pytest.mark.parametrize(
    ("condition", "field", "message"),
    [
        ({"createdAt": {"inLast": {"months": 1}}}, "months", "Duration has no field months; months are not equally long: give days, such as 30, or weeks"),
        ({"createdAt": {"inLast": {"years": 1}}}, "years", "Duration has no field years; years are not equally long: give days, such as 365"),
        ({"createdAt": {"inLast": {"seconds": 1}}}, "seconds", "Duration has no field seconds; the shortest is a minute: give minutes"),
        ({"createdAt": {"inLast": {"day": 1}}}, "day", "Duration has no field day; did you mean days?"),
        ({"birthday": {"inNext": {"weeks": 1}}}, "weeks", "Days has no field weeks; give days, 7 for a week"),
        ({"birthday": {"inNext": {"months": 1}}}, "months", "Days has no field months; months are not equally long: give days, such as 30"),
        ({"birthday": {"inNext": {"years": 1}}}, "years", "Days has no field years; years are not equally long: give days, such as 365"),
        ({"birthday": {"inNext": {"hours": 1}}}, "hours", "Days has no field hours; a date has no time: give days"),
        ({"field": {"number": {"atLeast": 1}}}, "atLeast", "NumberFilter has no field atLeast; give gte"),
        ({"field": {"text": {"like": 1}}}, "like", "TextFilter has no field like; give matches"),
        ({"event": {"times": {"gte": 1}}}, "gte", "CountFilter has no field gte; give atLeast"),
    ],
)  # fmt: skip
async def test_a_field_that_there_is_not_is_told_with_what_there_is_instead(api, condition, field, message):
    ((kind, test),) = condition.items()
    ((operator, _),) = test.items()
    literal = f"{{ previewSegment(condition: {{{kind}: {{{operator}: {{{field}: 1}}}}}}) {{ __typename }} }}"

    for errors in (await api.errors(literal), await api.errors(PREVIEW, c=condition)):
        error = errors[0]  # Days also lacks its `days`
        assert error["message"].endswith(message)
        assert error["extensions"]["issues"][0]["path"] == ["condition", kind, operator, field]


async def test_no_more_than_five_are_told(api):
    many = {"all": [{f"c{number}": 1} for number in range(100)]}

    literal = await api.errors(
        f"{{ previewSegment(condition: {{all: [{' '.join(f'{{c{n}: 1}}' for n in range(100))}]}}) {{ __typename }} }}"
    )
    variable = await api.errors(PREVIEW, c=many)

    assert len(literal) == len(variable) == 5
    assert [error["message"] for error in literal] == [error["message"] for error in variable]


async def test_a_path_leads_through_the_argument_that_the_variable_is_given_for(api):
    document = (
        'mutation ($c: ConditionInput!) { createSegment(input: {name: "x", condition: $c}) { __typename } }'
    )

    (error,) = await api.errors(document, c={"not": {"country": {}}})

    (issue,) = error["extensions"]["issues"]
    assert issue["path"] == ["input", "condition", "not", "country"]
    assert issue["message"].startswith("give exactly one of is, isNot")


async def test_a_default_of_a_variable_is_checked_like_a_literal(api):
    (error,) = await api.errors(
        "query ($c: ConditionInput! = {nope: 1}) { previewSegment(condition: $c) { __typename } }"
    )

    assert error["extensions"]["issues"][0]["path"] == ["condition", "nope"]


async def test_null_by_a_variable_is_told_where_only_leaving_out_is_allowed(api):
    document = (
        'query ($n: Int) { previewSegment(condition: {country: {is: "LT"}}, sample: $n) { __typename } }'
    )

    (error,) = await api.errors(document, n=None)
    left_out = await api.data(document)

    assert error["message"] == "sample: must not be null"
    assert error["extensions"]["issues"][0]["path"] == ["sample"]
    assert left_out == {"previewSegment": {"__typename": "SegmentPreview"}}


async def test_a_variable_without_a_value_is_required_where_it_stands(api):
    (error,) = await api.errors("query ($id: ID!) { node(id: $id) { id } }")

    assert error["message"] == "id: is required: the variable $id has no value"
    assert error["extensions"]["issues"][0]["path"] == ["id"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{ viewr { token { name } } }", "Query has no field viewr; did you mean viewer?"),
        ("{ viewer { token { zzzzzz } } }", "ApiToken has no field zzzzzz"),
        ("mutation { recomputeSegment(input: {id: 1}) { name } }", "RecomputeSegmentResult has no field name; ask for it in a fragment, for example `... on Segment`"),
        ("{ ... on Subscribr { id } }", "there is no type Subscribr; did you mean Subscriber?"),
        ("{ node(ide: 1) { id } }", "ide: node has no argument ide; did you mean id?"),
    ],
)  # fmt: skip
async def test_a_misspelt_name_is_told_with_one_or_two_that_are_close(api, document, message):
    error, *_ = await api.errors(document)

    assert error["message"] == message
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_the_example_of_the_page(api):
    page = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
    (document,) = re.findall(r"```graphql\n(.*?)```", page, re.DOTALL)
    (answer,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)

    assert {"errors": await api.errors(document)} == json.loads(answer)


@pytest.mark.parametrize(
    ("readers", "message"), [(1, "1 other segment reads this one"), (2, "2 other segments read this one")]
)
async def test_one_is_told_as_one(api, readers, message):
    read = await api.segment("read", {"country": {"is": "LT"}})
    for number in range(readers):
        await api.segment(f"reader {number}", {"segment": {"anyOf": [read]}})

    found = await api.data(
        "mutation ($id: ID!) { deleteSegment(input: {id: $id}) { ... on InUse { message } } }", id=read
    )

    assert found["deleteSegment"] == {"message": message}
