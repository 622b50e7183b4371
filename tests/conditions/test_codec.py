"""What the codec accepts, gives back, and refuses: every refusal with its code and its exact path."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from audience_gql.conditions.base import InvalidCondition, Problem
from audience_gql.conditions.codec import dump, parse
from audience_gql.conditions.limits import MAX_PROBLEMS
from audience_gql.conditions.vocabulary import PLAIN_IDS, IdKind, ListRef
from tests.conditions.chance import Chance
from tests.conditions.world import SEGMENTS, VOCABULARY, condition_of


def problems(value: object, *, allow_empty: bool = True) -> list[tuple[str, tuple[str, ...]]]:
    with pytest.raises(InvalidCondition) as caught:
        parse(value, vocabulary=VOCABULARY, ids=PLAIN_IDS, allow_empty=allow_empty)
    return [(problem.code, problem.path) for problem in caught.value.problems]


def test_dump_is_the_input_without_nulls() -> None:
    given = {
        "all": [
            {"country": {"is": "LT"}, "any": None},
            {"event": {"name": "email_opened", "times": None, "within": {"last": {"weeks": 1}}, "where": []}},
        ]
    }

    assert dump(condition_of(given), ids=PLAIN_IDS) == {
        "all": [
            {"country": {"is": "LT"}},
            {"event": {"name": "email_opened", "within": {"last": {"weeks": 1}}}},
        ]
    }


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (5, 5),
        (5.0, 5),
        (0.1, 0.1),
        (Decimal("0.10"), 0.1),
        (Decimal(7), 7),
        (-0.0, 0),
        (1e22, 1e22),
        (1e-7, 1e-7),
        (5e-324, 5e-324),
        (1.7976931348623157e308, 1.7976931348623157e308),
        (2**53 - 1, 2**53 - 1),
    ],
)
def test_numbers_are_given_back_exactly(number: object, written: object) -> None:
    condition = condition_of({"field": {"key": "size", "number": {"eq": number}}})

    assert dump(condition, ids=PLAIN_IDS) == {"field": {"key": "size", "number": {"eq": written}}}
    assert condition_of(dump(condition, ids=PLAIN_IDS)) == condition


@pytest.mark.parametrize(
    "time",
    [
        "2026-03-31T12:00:00Z",
        "2026-03-31t15:00:00.000000999+03:00",
        datetime(2026, 3, 31, 12, tzinfo=UTC),
        datetime(2026, 3, 31, 7, tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_instants_are_given_back_in_utc(time: object) -> None:
    condition = condition_of({"createdAt": {"before": time}})

    assert dump(condition, ids=PLAIN_IDS) == {"createdAt": {"before": "2026-03-31T12:00:00Z"}}


def test_microseconds_are_kept() -> None:
    written = {"createdAt": {"before": "2026-03-31T12:00:00.000001Z"}}

    assert dump(condition_of(written), ids=PLAIN_IDS) == written


def test_ids_are_written_by_the_codec_of_the_caller() -> None:
    class Opaque:
        def encode(self, kind: IdKind, id: int) -> str:  # noqa: A002  # the protocol's
            return f"{kind}:{id}"

        def decode(self, kind: IdKind, text: str) -> int | None:
            return int(text.removeprefix(f"{kind}:")) if text.startswith(f"{kind}:") else None

    given = {"all": [{"group": {"anyOf": ["group:21"]}}, {"segment": {"anyOf": ["segment:41"]}}]}

    condition = parse(given, vocabulary=VOCABULARY, ids=Opaque())

    assert dump(condition, ids=Opaque()) == given
    assert dump(condition, ids=PLAIN_IDS) == {
        "all": [{"group": {"anyOf": ["21"]}}, {"segment": {"anyOf": ["41"]}}]
    }


def test_names_of_groups_and_segments_become_ids() -> None:
    in_groups = {"group": {"anyOf": ["vip", "Beta testers"], "joined": {"inLast": {"days": 1}}}}
    in_segments = {"segment": {"anyOf": [" READERS ", "41"], "leavesWithin": {"days": 3}}}

    by_name = condition_of({"all": [in_groups, in_segments]})

    assert dump(by_name, ids=PLAIN_IDS) == {
        "all": [
            {"group": {"anyOf": ["21", "22"], "joined": {"inLast": {"days": 1}}}},
            {"segment": {"anyOf": ["42", "41"], "leavesWithin": {"days": 3}}},
        ]
    }


def test_a_paused_segment_cannot_be_named_either() -> None:
    vocabulary = replace(VOCABULARY, paused_segment_ids={42})

    with pytest.raises(InvalidCondition) as caught:
        parse({"segment": {"anyOf": ["buyers", "readers"]}}, vocabulary=vocabulary, ids=PLAIN_IDS)

    message = "this segment is paused: resume it first"
    assert caught.value.problems == (
        Problem(code="CONFLICT", message=message, path=("segment", "anyOf", "1")),
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("beta", "; did you mean Beta testers?"),
        ("Beta tester", "; did you mean Beta testers?"),
        ("VPI", ""),
        ("Bet4 testers", "; did you mean Beta testers?"),
        ("", ""),
        ("x" * 1_000, ""),
    ],
)
def test_an_unknown_name_of_a_group_is_refused_with_similar_ones(name: str, hint: str) -> None:
    with pytest.raises(InvalidCondition) as caught:
        condition_of({"any": [{"group": {"anyOf": ["21", name]}}]})

    message = f"there is no group with this id or name{hint}"
    assert caught.value.problems == (
        Problem(code="UNKNOWN", message=message, path=("any", "0", "group", "anyOf", "1")),
    )


def test_an_unknown_name_of_a_segment_is_refused_with_similar_ones() -> None:
    with pytest.raises(InvalidCondition) as caught:
        condition_of({"segment": {"anyOf": ["41", "Buyer"]}})

    message = "there is no segment with this id or name; did you mean Buyers?"
    assert caught.value.problems == (
        Problem(code="UNKNOWN", message=message, path=("segment", "anyOf", "1")),
    )


def test_a_text_in_the_form_of_an_id_is_never_a_name() -> None:
    groups = {"22": ListRef(id=21, name="22")}
    segments = {"42": ListRef(id=41, name="42")}
    vocabulary = replace(VOCABULARY, groups_by_name=groups, segments_by_name=segments)
    given = {"all": [{"group": {"anyOf": ["22"]}}, {"segment": {"anyOf": ["42"]}}]}

    condition = parse(given, vocabulary=vocabulary, ids=PLAIN_IDS)

    assert dump(condition, ids=PLAIN_IDS) == given


def test_only_new_conditions_have_their_countries_checked() -> None:
    given = {
        "all": [
            {"country": {"in": ["LT", "Lithuania"]}},
            {"country": {"contains": "Lithuania"}},
            {"city": {"is": "Lithuania"}},
        ]
    }
    checking = replace(VOCABULARY, country_problem=lambda text: None if text == "LT" else f"not {text}")

    with pytest.raises(InvalidCondition) as caught:
        parse(given, vocabulary=checking, ids=PLAIN_IDS)

    assert caught.value.problems == (
        Problem(code="UNKNOWN", message="not Lithuania", path=("all", "0", "country", "in", "1")),
    )
    assert dump(condition_of(given), ids=PLAIN_IDS) == given


def test_random_conditions_survive_the_round_trip() -> None:
    chance = Chance(seed=5)

    for _ in range(500):
        condition = chance.condition(segment_ids=list(SEGMENTS))

        assert condition_of(dump(condition, ids=PLAIN_IDS)) == condition


def test_all_problems_come_at_once_in_the_order_of_the_input() -> None:
    assert problems(
        {
            "all": [
                {"country": {"is": 5}},
                {
                    "event": {
                        "name": "",
                        "within": {"last": {"days": 0}},
                        "where": [{"key": "x", "text": {"is": 1}}, {"key": "x"}],
                    }
                },
                {"field": {"key": "nope", "number": {"gt": "x"}}},
                {"segment": {"anyOf": ["41", "99"]}},
            ]
        }
    ) == [
        ("WRONG_TYPE", ("all", "0", "country", "is")),
        ("REQUIRED", ("all", "1", "event", "name")),
        ("OUT_OF_RANGE", ("all", "1", "event", "within", "last", "days")),
        ("WRONG_TYPE", ("all", "1", "event", "where", "0", "text", "is")),
        ("REQUIRED", ("all", "1", "event", "where", "1")),
        ("UNKNOWN", ("all", "2", "field", "key")),
        ("WRONG_TYPE", ("all", "2", "field", "number", "gt")),
        ("UNKNOWN", ("all", "3", "segment", "anyOf", "1")),
    ]


_DAY = {"days": 1}


@pytest.mark.parametrize(
    ("value", "code", "path"),
    [
        (None, "REQUIRED", ()),
        ([], "WRONG_TYPE", ()),
        ("country", "WRONG_TYPE", ()),
        ({}, "REQUIRED", ()),
        ({"country": None}, "REQUIRED", ()),
        ({"contry": {"is": "LT"}}, "UNKNOWN", ("contry",)),
        ({"city": {"is": "x"}, "country": {"is": "LT"}}, "CONFLICT", ()),
        ({"all": {"country": {"is": "LT"}}}, "WRONG_TYPE", ("all",)),
        ({"all": [None]}, "REQUIRED", ("all", "0")),
        ({"not": []}, "WRONG_TYPE", ("not",)),
        ({"country": "LT"}, "WRONG_TYPE", ("country",)),
        ({"country": {}}, "REQUIRED", ("country",)),
        ({"country": {"is": "LT", "isNot": "DE"}}, "CONFLICT", ("country",)),
        ({"country": {"like": "%"}}, "UNKNOWN", ("country", "like")),
        ({"country": {"in": "LT"}}, "WRONG_TYPE", ("country", "in")),
        ({"country": {"in": ["LT", 5]}}, "WRONG_TYPE", ("country", "in", "1")),
        ({"country": {"isSet": 1}}, "WRONG_TYPE", ("country", "isSet")),
        ({"country": {"is": "a\0b"}}, "MALFORMED", ("country", "is")),
        ({"country": {"is": "\ud800"}}, "MALFORMED", ("country", "is")),
        ({"country": {"is": "x" * 1_001}}, "OUT_OF_RANGE", ("country", "is")),
        ({"country": {"in": ["x"] * 10_001}}, "TOO_MANY", ("country", "in")),
        ({"field": {"text": {"is": "x"}}}, "REQUIRED", ("field", "key")),
        ({"field": {"key": "plan"}}, "REQUIRED", ("field",)),
        ({"field": {"key": "plan", "text": {"is": "x"}, "number": {"eq": 1}}}, "CONFLICT", ("field",)),
        ({"field": {"key": "plan", "number": {"eq": 1}}}, "WRONG_TYPE", ("field", "number")),
        ({"field": {"key": "vip", "text": {"is": "x"}}}, "WRONG_TYPE", ("field", "text")),
        ({"field": {"key": "size", "number": {"eq": True}}}, "WRONG_TYPE", ("field", "number", "eq")),
        ({"field": {"key": "size", "number": {"eq": float("nan")}}}, "MALFORMED", ("field", "number", "eq")),
        (
            {"field": {"key": "size", "number": {"eq": Decimal("-Infinity")}}},
            "MALFORMED",
            ("field", "number", "eq"),
        ),
        ({"field": {"key": "size", "number": {"eq": 2**53 + 1}}}, "OUT_OF_RANGE", ("field", "number", "eq")),
        ({"field": {"key": "size", "number": {"eq": 10**400}}}, "OUT_OF_RANGE", ("field", "number", "eq")),
        (
            {"field": {"key": "size", "number": {"between": {"from": 2, "to": 1}}}},
            "OUT_OF_RANGE",
            ("field", "number", "between"),
        ),
        (
            {"field": {"key": "size", "number": {"between": {"from": 2}}}},
            "REQUIRED",
            ("field", "number", "between", "to"),
        ),
        ({"group": {"anyOf": ["99"]}}, "UNKNOWN", ("group", "anyOf", "0")),
        ({"group": {"anyOf": ["٢١"]}}, "UNKNOWN", ("group", "anyOf", "0")),
        ({"group": {"anyOf": ["9" * 30]}}, "UNKNOWN", ("group", "anyOf", "0")),
        ({"group": {"anyOf": [1.5]}}, "WRONG_TYPE", ("group", "anyOf", "0")),
        ({"group": {"joined": {"inLast": _DAY}}}, "REQUIRED", ("group", "anyOf")),
        ({"createdAt": {"inLast": {"days": 3_654}}}, "OUT_OF_RANGE", ("createdAt", "inLast", "days")),
        ({"createdAt": {"inLast": {"weeks": 522}}}, "OUT_OF_RANGE", ("createdAt", "inLast", "weeks")),
        ({"createdAt": {"inLast": {"days": 1.5}}}, "WRONG_TYPE", ("createdAt", "inLast", "days")),
        ({"createdAt": {"inLast": {"days": 2**31}}}, "OUT_OF_RANGE", ("createdAt", "inLast", "days")),
        ({"createdAt": {"inLast": {"days": 1, "hours": 1}}}, "CONFLICT", ("createdAt", "inLast")),
        ({"createdAt": {"inLast": {"months": 1}}}, "UNKNOWN", ("createdAt", "inLast", "months")),
        ({"createdAt": {"inLast": {"calendarDays": 1}}}, "UNKNOWN", ("createdAt", "inLast", "calendarDays")),
        (
            {"event": {"name": "x", "onDays": {"atLeast": 1}, "inWeeks": {"atLeast": 1}}},
            "CONFLICT",
            ("event",),
        ),
        ({"event": {"name": "x", "times": {"atLeast": 1}, "onDays": {"atLeast": 1}}}, "CONFLICT", ("event",)),
        (
            {"event": {"name": "x", "inMonths": {"atLeast": -1}}},
            "OUT_OF_RANGE",
            ("event", "inMonths", "atLeast"),
        ),
        *(
            ({"event": {"name": "x", "within": within}}, code, ("event", "within", *path))
            for within, code, path in (
                ({"last": {"calendarDays": 0}}, "OUT_OF_RANGE", ("last", "calendarDays")),
                ({"last": {"calendarDays": 3_654}}, "OUT_OF_RANGE", ("last", "calendarDays")),
                ({"last": {"calendarMonths": 121}}, "OUT_OF_RANGE", ("last", "calendarMonths")),
                ({"last": {"calendarMonths": 1, "days": 1}}, "CONFLICT", ("last",)),
                ({"last": {"months": 1}}, "UNKNOWN", ("last", "months")),
                ({"last": {"days": 3_654}}, "OUT_OF_RANGE", ("last", "days")),
                ({"calendar": "NEXT_WEEK"}, "UNKNOWN", ("calendar",)),
                ({"calendar": "TODAY", "last": {"days": 1}}, "CONFLICT", ()),
            )
        ),
        ({"createdAt": {"before": "2026-03-31T12:00:00"}}, "MALFORMED", ("createdAt", "before")),
        ({"createdAt": {"before": "2026-03-31"}}, "MALFORMED", ("createdAt", "before")),
        ({"createdAt": {"before": "2026-02-30T12:00:00Z"}}, "MALFORMED", ("createdAt", "before")),
        (
            {"createdAt": {"before": datetime(2026, 3, 31)}},
            "MALFORMED",
            ("createdAt", "before"),
        ),  # without a zone
        ({"createdAt": {"before": "1899-12-31T23:59:59Z"}}, "OUT_OF_RANGE", ("createdAt", "before")),
        ({"createdAt": {"before": "2200-12-31T23:00:00-05:00"}}, "OUT_OF_RANGE", ("createdAt", "before")),
        ({"createdAt": {"before": "9999-12-31T23:00:00-14:00"}}, "MALFORMED", ("createdAt", "before")),
        (
            {"createdAt": {"between": {"from": "2026-03-31T12:00:00Z", "to": "2026-03-31T12:00:00Z"}}},
            "OUT_OF_RANGE",
            ("createdAt", "between"),
        ),
        ({"event": {"times": {"atLeast": 1}}}, "REQUIRED", ("event", "name")),
        ({"event": {"name": "x", "times": {"atLeast": -1}}}, "OUT_OF_RANGE", ("event", "times", "atLeast")),
        (
            {"event": {"name": "x", "times": {"between": {"from": 3, "to": 2}}}},
            "OUT_OF_RANGE",
            ("event", "times", "between"),
        ),
        (
            {"event": {"name": "x", "within": {"ago": {"from": {"hours": 24}, "to": _DAY}}}},
            "OUT_OF_RANGE",
            ("event", "within", "ago"),
        ),
        (
            {"event": {"name": "x", "where": [{"key": "k", "time": {"inLast": _DAY}}]}},
            "OUT_OF_RANGE",
            ("event", "where", "0", "time", "inLast"),
        ),
        (
            {"event": {"name": "x", "where": [{"key": "k", "text": {"is": "v"}}] * 21}},
            "TOO_MANY",
            ("event", "where"),
        ),
        (
            {"eventTotal": {"name": "x", "of": "value", "function": "MEDIAN", "is": {"gt": 1}}},
            "UNKNOWN",
            ("eventTotal", "function"),
        ),
        ({"eventTotal": {"name": "x", "of": "value", "function": "SUM"}}, "REQUIRED", ("eventTotal", "is")),
        ({"lastEvent": {"name": "x", "at": {"inNext": _DAY}}}, "OUT_OF_RANGE", ("lastEvent", "at", "inNext")),
        (
            {"lastEvent": {"name": "x", "at": {"inLast": _DAY}, "notFollowedBy": {"name": ""}}},
            "REQUIRED",
            ("lastEvent", "notFollowedBy", "name"),
        ),
        (
            {
                "lastEvent": {
                    "name": "x",
                    "at": {"isSet": False},
                    "notFollowedBy": {"name": "y", "sameProperty": "z"},
                }
            },
            "CONFLICT",
            ("lastEvent", "notFollowedBy", "sameProperty"),
        ),
        ({"event": {"name": "x", "perProperty": ""}}, "REQUIRED", ("event", "perProperty")),
        ({"event": {"name": "x", "perProperty": "y", "onDays": {"atLeast": 2}}}, "CONFLICT", ("event",)),
        ({"eventSequence": {}}, "REQUIRED", ("eventSequence", "steps")),
        ({"eventSequence": {"steps": [{"name": "x"}]}}, "OUT_OF_RANGE", ("eventSequence", "steps")),
        ({"eventSequence": {"steps": [{"name": "x"}] * 6}}, "TOO_MANY", ("eventSequence", "steps")),
        (
            {"eventSequence": {"steps": [{"name": "x", "within": _DAY}, {"name": "y"}]}},
            "OUT_OF_RANGE",
            ("eventSequence", "steps", "0", "within"),
        ),
        (
            {"eventSequence": {"steps": [{"name": "x"}, {"name": "y"}], "sameProperty": ""}},
            "REQUIRED",
            ("eventSequence", "sameProperty"),
        ),
        (
            {"eventSequence": {"steps": [{"name": "x"}, {"name": "y"}], "notFollowedBy": "z"}},
            "WRONG_TYPE",
            ("eventSequence", "notFollowedBy"),
        ),
    ],
)
def test_refused(value: object, code: str, path: tuple[str, ...]) -> None:
    assert problems(value) == [(code, path)]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"any": []}, ("any",)),
        ({"not": {"all": []}}, ("not", "all")),
        ({"all": [{"any": []}]}, ("all", "0", "any")),
    ],
)
def test_empty_lists_are_for_previews(value: object, path: tuple[str, ...]) -> None:
    assert problems(value, allow_empty=False) == [("REQUIRED", path)]
    assert dump(condition_of(value), ids=PLAIN_IDS) == value


def test_everyone_is_accepted_as_the_whole_condition() -> None:
    condition = parse({"all": []}, vocabulary=VOCABULARY, ids=PLAIN_IDS)

    assert dump(condition, ids=PLAIN_IDS) == {"all": []}


def _nested(depth: int) -> dict[str, Any]:  # Any: nested input
    value: dict[str, Any] = {"country": {"is": "LT"}}
    for _ in range(depth - 1):
        value = {"not": value}
    return value


def test_the_limits_themselves_are_accepted() -> None:
    condition_of(_nested(16))
    condition_of({"any": [{"country": {"is": "LT"}}] * 200})
    condition_of({"country": {"in": ["x"] * 10_000}})
    condition_of({"country": {"is": "x" * 1_000}})
    condition_of({"createdAt": {"inLast": {"days": 3_653}}})
    condition_of({"createdAt": {"before": "2200-12-31T23:59:59.999999Z"}})


def test_past_the_depth() -> None:
    assert problems(_nested(17)) == [("OUT_OF_RANGE", ("not",) * 16)]


def test_past_the_leaves() -> None:
    assert problems({"any": [{"country": {"is": "LT"}}] * 201}) == [("TOO_MANY", ("any", "200"))]


def test_messages_say_what_would_be_right() -> None:
    with pytest.raises(InvalidCondition) as caught:
        condition_of({"country": {"is": "x" * 1_001}})

    assert caught.value.problems == (
        Problem(
            code="OUT_OF_RANGE",
            message="can have at most 1,000 characters, not 1,001",
            path=("country", "is"),
        ),
    )
    assert str(caught.value) == "country.is: can have at most 1,000 characters, not 1,001"


def test_problems_are_bounded() -> None:
    assert len(problems({"country": {"in": [5] * 10_000}})) == MAX_PROBLEMS


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"country": "LT"}, 'TextFilter, an object such as {is: "LT"}'),
        ({"age": 18}, "NumberFilter, an object such as {gte: 18}"),
        ({"event": {"name": "x", "times": 2}}, "CountFilter, an object such as {atLeast: 2}"),
        ({"event": "order_placed"}, 'EventFilter, an object such as {name: "order_placed"}'),
        ({"segment": "Loyal"}, 'SegmentFilter, an object such as {anyOf: ["Loyal"]}'),
        ({"group": "VIP"}, 'GroupFilter, an object such as {anyOf: ["VIP"]}'),
        (
            {"lastEvent": {"name": "x", "at": {"isSet": True}, "notFollowedBy": "y"}},
            'EventFollower, an object such as {name: "order_placed"}',
        ),
    ],
)
def test_a_value_instead_of_an_object_is_answered_with_an_example(
    given: dict[str, object], expected: str
) -> None:
    with pytest.raises(InvalidCondition) as caught:
        condition_of(given)

    (problem,) = caught.value.problems
    assert problem.message == f"expected {expected}"
