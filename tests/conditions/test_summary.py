"""How whole trees read in English: what belongs together, how far a negation reaches, what is shortened."""

from __future__ import annotations

from itertools import product

import pytest

from audience_gql.conditions.kinds.combinators import All, AnyOf, Not
from audience_gql.conditions.words.summary import summarize
from tests.conditions.world import NAMES, condition_of

LT = {"country": {"is": "LT"}}
CITY = {"city": {"isNot": "Vilnius"}}
OPENED = {"event": {"name": "email_opened", "within": {"last": {"days": 30}}}}
NEVER_BOUGHT = {"event": {"name": "order_placed", "times": {"exactly": 0}}}
VIP = {"group": {"anyOf": ["21"]}}


SENTENCES = [
    ({"all": []}, "Everyone."),
    ({"any": []}, "No one."),
    ({"not": {"all": []}}, "People who are not among those who are anyone."),
    ({"not": {"any": []}}, "People who are not among those who are no one."),
    ({"all": [LT, {"any": []}]}, 'People whose country is "LT" and who are no one.'),
    ({"any": [{"all": []}, LT]}, 'People who are anyone or whose country is "LT".'),
    ({"all": [LT]}, 'People whose country is "LT".'),
    ({"any": [{"all": [{"not": LT}]}]}, 'People who are not among those whose country is "LT".'),
    (
        {"all": [LT, CITY, OPENED]},
        (
            'People whose country is "LT" and (whose city is set, but not "Vilnius") '
            "and who did email_opened at least once in the last 30 days."
        ),
    ),
    (
        {"all": [{"not": LT}, OPENED]},
        (
            'People (who are not among those whose country is "LT") '
            "and who did email_opened at least once in the last 30 days."
        ),
    ),
    (
        {"not": {"all": [LT, OPENED]}},
        (
            'People who are not among those (whose country is "LT" '
            "and who did email_opened at least once in the last 30 days)."
        ),
    ),
    (
        {"not": {"any": [LT, VIP]}},
        'People who are not among those (whose country is "LT" or who are in the group "VIP").',
    ),
    (
        {"any": [{"all": [LT, CITY]}, {"all": [VIP, {"not": OPENED}]}]},
        (
            'People (whose country is "LT" and (whose city is set, but not "Vilnius")) '
            'or (who are in the group "VIP" '
            "and who never did email_opened in the last 30 days)."
        ),
    ),
    (
        {"all": [{"any": [LT, {"not": {"any": [CITY, VIP]}}]}, NEVER_BOUGHT]},
        (
            'People (whose country is "LT" or (who are not among those '
            '((whose city is set, but not "Vilnius") or who are in the group "VIP"))) '
            "and who never did order_placed."
        ),
    ),
    (
        {"not": {"not": {"all": [LT, {"not": CITY}]}}},
        (
            'People who are not among those who are not among those (whose country is "LT" '
            'and (who are not among those whose city is set, but not "Vilnius")).'
        ),
    ),
    (
        {"all": [{"all": [{"any": [LT, VIP]}]}, OPENED]},
        (
            'People (whose country is "LT" or who are in the group "VIP") '
            "and who did email_opened at least once in the last 30 days."
        ),
    ),
]
"""A sentence for each of these trees. An `all` or `any` of one condition reads like that one."""


@pytest.mark.parametrize(("condition", "sentence"), SENTENCES, ids=[sentence for _, sentence in SENTENCES])
def test_a_tree_reads_as_it_is_meant(condition: dict[str, object], sentence: str) -> None:
    assert summarize(condition_of(condition), NAMES) == sentence


def test_trees_that_differ_read_differently() -> None:
    trees = [condition_of(LT), condition_of(VIP), All(conditions=()), AnyOf(conditions=())]
    for _ in range(2):
        pairs = list(product(trees, repeat=2))
        trees += [Not(condition=tree) for tree in trees]
        trees += [kind(conditions=pair) for kind in (All, AnyOf) for pair in pairs]
    trees = list(dict.fromkeys(trees))

    sentences = {summarize(tree, NAMES) for tree in trees}

    assert len(sentences) == len(trees)


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        ({"city": {"in": list("abcde")}}, 'People whose city is "a", "b", "c", "d" or "e".'),
        ({"city": {"in": list("abcdefg")}}, 'People whose city is "a", "b", "c", "d", "e" or 2 more.'),
        (
            {"city": {"notIn": list("abcdefg")}},
            'People whose city is set, but neither "a", "b", "c", "d", "e" nor 2 more.',
        ),
        ({"city": {"is": "x" * 60}}, f'People whose city is "{"x" * 60}".'),
        ({"city": {"is": "x" * 61}}, f'People whose city is "{"x" * 59}…".'),
        (
            {"event": {"name": "a name of more than one word", "times": {"atLeast": 1000}}},
            'People who did "a name of more than one word" at least 1,000 times.',
        ),
        ({"event": {"name": "x" * 61}}, f'People who did "{"x" * 59}…" at least once.'),
    ],
)
def test_long_lists_and_texts_are_shortened(condition: dict[str, object], sentence: str) -> None:
    assert summarize(condition_of(condition), NAMES) == sentence


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        (
            {"city": {"is": 'x" or whose country is "LT'}},
            'People whose city is "x\\" or whose country is \\"LT".',
        ),
        ({"city": {"is": 'x\\" or "y'}}, 'People whose city is "x\\\\\\" or \\"y".'),
        (
            {"event": {"name": "bought) or who did sold (it"}},
            'People who did "bought) or who did sold (it" at least once.',
        ),
        (
            {
                "eventTotal": {
                    "name": "order_placed",
                    "of": "net price",
                    "function": "AVERAGE",
                    "is": {"gt": 5},
                }
            },
            'People whose average "net price" of order_placed is more than 5.',
        ),
    ],
)
def test_texts_do_not_pass_for_the_rest_of_the_sentence(condition: dict[str, object], sentence: str) -> None:
    assert summarize(condition_of(condition), NAMES) == sentence


def test_what_is_gone_has_no_name() -> None:
    condition = condition_of({"any": [{"group": {"anyOf": ["21"]}}, {"segment": {"anyOf": ["41", "42"]}}]})

    sentence = summarize(condition, type(NAMES)(groups={}, segments={42: "Readers"}))

    assert sentence == 'People who are in the group "?" or who are in the segments "?" or "Readers".'
