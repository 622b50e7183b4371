"""What is said of a condition is true, and said of every way to write it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from audience_gql.conditions.base import Condition, Leaf, Moment
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.kinds.combinators import All, AnyOf, Not
from audience_gql.conditions.reasoning.canonical import ALWAYS, NEVER, canonical
from audience_gql.conditions.reasoning.comparisons import comparison_of
from audience_gql.conditions.reasoning.warnings import leaves_with_values, nobody_has, warnings
from tests.conditions.chance import NOON, Chance, share
from tests.conditions.world import FIELDS, NAMES, VOCABULARY, condition_of

A = {"country": {"is": "LT"}}
B = {"firstName": {"contains": "a"}}
C = {"group": {"anyOf": ["21", "22"]}}
NEAR = {"location": {"near": {"latitude": 54.6872, "longitude": 25.2797, "kilometers": 5}}}
ALWAYS_TRUE = "It is always true: it matches everyone."
NEVER_TRUE = "It is never true: it can match no one."


def bought(**times) -> dict[str, object]:
    return {"event": {"name": "order_placed", "times": times}}


def ordered(*where: dict[str, object], **times) -> dict[str, object]:
    return {"event": {"name": "order_placed", "where": list(where)} | ({"times": times} if times else {})}


def size(**test) -> dict[str, object]:
    return {"field": {"key": "size", "number": test}}


def created(**test) -> dict[str, object]:
    return {"createdAt": test}


CHEAP = {"key": "price", "number": {"lt": 5}}


def often(times: dict[str, object]) -> dict[str, object]:
    return {"event": {"name": "order_placed", "times": times, "perProperty": "price"}}


def abandoned(**at) -> dict[str, object]:
    return {"lastEvent": {"name": "cart_updated", "at": at, "notFollowedBy": {"name": "order_placed"}}}


def told(value, **others) -> list[str]:
    existing = {name: condition_of(other) for name, other in others.items()}
    return list(warnings(condition_of(value), names=NAMES, vocabulary=VOCABULARY, others=existing))


@pytest.mark.parametrize(
    "condition",
    [
        {"any": []},
        {"not": {"all": []}},
        {"all": [A, {"not": A}]},
        {"all": [B, {"all": [C, {"not": {"any": [A, B]}}]}]},
        {"all": [A, {"country": {"is": "LV"}}]},
        {"all": [A, {"country": {"in": ["lv", "EE"]}}]},
        {"all": [A, {"country": {"isNot": "lt"}}]},
        {"all": [A, {"country": {"isSet": False}}]},
        {"all": [A, {"country": {"startsWith": "x"}}]},
        {"all": [{"country": {"notIn": []}}, {"not": {"country": {"isSet": True}}}]},
        {"country": {"in": []}},
        {"country": {"is": ""}},
        {"country": {"isExactly": ""}},
        {"country": {"inExactly": []}},
        {"all": [A, {"country": {"isExactly": "LV"}}]},
        {"all": [{"country": {"isNot": "lt"}}, {"country": {"isExactly": "LT"}}]},
        {"all": [{"country": {"inExactly": ["LT", "LV"]}}, {"country": {"startsWith": "x"}}]},
        {"all": [{"country": {"matches": "L?"}}, {"country": {"isSet": False}}]},
        {"all": [NEAR, {"location": {"isSet": False}}]},
        {"all": [NEAR, {"not": NEAR}]},
        {"all": [{"email": {"isExactly": "Ann@X.de"}}, {"not": {"email": {"is": "ann@x.DE"}}}]},
        {"all": [size(gt=5), size(lt=5)]},
        {"all": [size(gte=5), size(lt=5)]},
        {"all": [size(gt=5), size(lte=5)]},
        {"all": [size(between={"from": 1, "to": 2}), size(eq=2.5)]},
        {"all": [size(eq=5), size(ne=5)]},
        {"all": [bought(atLeast=3), bought(atMost=1)]},
        {"all": [bought(atLeast=3), bought(atMost=2)]},
        {"all": [bought(exactly=0), {"event": {"name": "order_placed"}}]},
        {"all": [created(before="2026-01-01T00:00:00Z"), created(after="2026-01-01T00:00:00Z")]},
        {"all": [created(before="2026-01-01T00:00:00Z"), created(between={"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"})]},
        {"all": [created(inLast={"days": 7}), created(notInLast={"weeks": 1})]},
        created(isSet=False),
        {"group": {"anyOf": []}},
        {"segment": {"anyOf": [], "entered": {"inLast": {"days": 7}}}},
        {"channel": {"channel": "EMAIL", "status": []}},
        {"field": {"key": "tags", "list": {"hasAny": []}}},
        ordered({"key": "brand", "text": {"in": []}}),
        ordered({"key": "brand", "text": {"is": ""}}),
        ordered({"key": "price", "number": {"gt": 5}}, {"key": "price", "number": {"lt": 5}}),
        ordered({"key": "price", "number": {"isSet": True}}, {"key": "price", "number": {"isSet": False}}),
        ordered({"key": "price", "number": {"gt": 5}}, {"key": "price", "text": {"isSet": True}}),
        {"lastEvent": {"name": "order_placed", "at": {"isSet": True}, "where": [{"key": "price", "number": {"in": []}}]}},
        {"eventTotal": {"name": "order_placed", "of": "value", "function": "SUM", "is": {"gt": 0}, "where": [{"key": "price", "number": {"in": []}}]}},
        {"lastEvent": {"name": "order_placed", "at": {"inLast": {"days": 7}}, "notFollowedBy": {"name": "order_placed"}}},
        {"firstEvent": {"name": "order_placed", "at": {"isSet": True}, "notFollowedBy": {"name": "order_placed"}}},
        {"all": [A, {"any": [{"any": []}, {"not": A}]}]},
        {"lastEvent": {"name": "order_placed", "at": {"isSet": True}, "where": [CHEAP, {"key": "brand", "text": {"is": "LT"}}], "notFollowedBy": {"name": "order_placed", "where": [CHEAP], "within": {"days": 1}}}},
        {"eventSequence": {"steps": [{"name": "page_viewed"}, {"name": "order_placed"}], "notFollowedBy": {"name": "order_placed"}}},
        {"eventSequence": {"steps": [{"name": "page_viewed", "where": [{"key": "price", "number": {"in": []}}]}, {"name": "order_placed"}]}},
        {"all": [often({"atLeast": 3}), often({"atMost": 2})]},
    ],
    ids=str,
)  # fmt: skip
def test_never_true_and_its_complement_always(condition):
    assert told(condition)[0] == NEVER_TRUE
    assert told({"not": condition})[0] == ALWAYS_TRUE
    assert not any("left out" in sentence for sentence in told(condition))


@pytest.mark.parametrize(
    "condition",
    [
        {"any": [A, {"not": A}]},
        {"any": [{"country": {"isSet": True}}, {"country": {"isSet": False}}]},
        {"any": [size(lte=5), size(gt=5), size(isSet=False)]},
        {"any": [bought(atLeast=3), bought(atMost=2)]},
        bought(atLeast=0),
        created(isSet=True),
        ordered({"key": "brand", "text": {"in": []}}, atMost=3),
        {
            "lastEvent": {
                "name": "order_placed",
                "at": {"isSet": False},
                "where": [{"key": "price", "number": {"in": []}}],
            }
        },
        {"eventTotal": {"name": "order_placed", "of": "value", "function": "SUM", "is": {"isSet": True}}},
    ],
    ids=str,
)
def test_always_true(condition):
    assert told(condition)[0] == ALWAYS_TRUE


@pytest.mark.parametrize(
    "condition",
    [
        {"any": [A, {"country": {"isNot": "LT"}}]},  # without a country, neither
        {"all": [A, {"country": {"contains": "t"}}]},
        {"all": [A, {"country": {"isExactly": "LT"}}]},
        {"all": [A, {"not": {"country": {"isExactly": "LT"}}}]},
        {"all": [{"not": {"country": {"isExactly": "lt"}}}, {"country": {"isExactly": "LT"}}]},
        {"all": [{"email": {"isExactly": "a@xn--mller-kva.de"}}, {"email": {"is": "a@müller.de"}}]},
        {"all": [NEAR, {"location": {"within": {"south": 0, "west": 0, "north": 1, "east": 1}}}]},  # circles are not examined
        {"all": [A, {"country": {"matches": "X*"}}]},  # patterns are not examined
        {"all": [{"country": {"matches": "X*"}}, {"country": {"matches": "Y*"}}]},
        {"all": [{"country": {"contains": "x"}}, {"country": {"notContains": "y"}}]},
        {"all": [size(gte=5), size(lte=5)]},
        {"all": [size(gt=5), size(lt=6)]},
        {"any": [size(lte=5), size(gt=5)]},
        {"all": [bought(atLeast=3), {"event": {"name": "page_viewed", "times": {"atMost": 1}}}]},
        {"all": [bought(atLeast=3), {"event": {"name": "order_placed", "times": {"atMost": 1}, "within": {"last": {"days": 7}}}}]},
        {"all": [created(inLast={"days": 8}), created(notInLast={"weeks": 1})]},
        {"all": [created(inLast={"days": 8}), created(before="2020-01-01T00:00:00Z")]},
        {"all": [{"group": {"anyOf": ["21"]}}, {"not": {"group": {"anyOf": ["22"]}}}]},
        {"all": [created(before="2026-01-02T00:00:00Z"), created(after="2026-01-01T00:00:00Z")]},
        {"lastEvent": {"name": "order_placed", "at": {"isSet": False}, "notFollowedBy": {"name": "order_placed"}}},
        {"lastEvent": {"name": "order_placed", "at": {"isSet": True}, "notFollowedBy": {"name": "order_placed", "where": [CHEAP]}}},
        {"eventSequence": {"steps": [{"name": "order_placed"}, {"name": "page_viewed"}], "notFollowedBy": {"name": "order_placed"}}},
        {"all": [often({"atLeast": 3}), {"event": {"name": "order_placed", "times": {"atMost": 2}, "perProperty": "brand"}}]},
        {"field": {"key": "tags", "list": {"hasNone": []}}},
        {"field": {"key": "tags", "list": {"hasAll": []}}},
        ordered({"key": "price", "number": {"isSet": False}}, {"key": "price", "text": {"is": "LT"}}),
        ordered({"key": "price", "text": {"is": "2026-01-01T00:00:00Z"}}, {"key": "price", "time": {"isSet": True}}),
        {"any": [abandoned(isSet=True), abandoned(isSet=False)]},  # a cart that was bought is neither
    ],
    ids=str,
)  # fmt: skip
def test_what_may_be_either_is_not_called_so(condition):
    assert not {ALWAYS_TRUE, NEVER_TRUE} & set(told(condition))


def test_a_part_that_says_nothing_is_named():
    assert told({"any": [C, {"all": [A, {"country": {"is": "LV"}}]}, bought(atLeast=0)]})[0] == ALWAYS_TRUE
    assert told({"any": [C, {"all": [A, {"country": {"is": "LV"}}]}]}) == [
        'A part of it is never true: "whose country is "LT" and whose country is "LV"".'
    ]
    assert told({"all": [C, bought(atLeast=0)]}) == [
        'A part of it is always true: "who did order_placed any number of times, if at all".'
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"all": [A, B]}, {"all": [B, A]}),
        ({"all": [A, {"all": [B, C]}]}, {"all": [{"all": [A, B]}, C, A]}),
        ({"not": {"not": A}}, A),
        ({"any": [A, A]}, {"all": [A]}),
        ({"not": {"all": [A, B]}}, {"any": [{"not": A}, {"not": B}]}),
        ({"not": {"any": [A, B]}}, {"all": [{"not": B}, {"not": A}]}),
        ({"all": [A, {"any": [A, B]}]}, A),
        ({"any": [A, {"all": [A, B]}]}, A),
        ({"all": [A, {"any": [B, {"any": []}]}]}, {"all": [A, B]}),
        ({"country": {"is": "lt"}}, {"country": {"in": ["LT", "lt"]}}),
        ({"externalId": {"isExactly": "A-1"}}, {"externalId": {"inExactly": ["A-1", "A-1"]}}),
        (C, {"group": {"anyOf": ["22", "21", "22"]}}),
        (size(eq=5), size(**{"in": [5.0]})),
        (created(inLast={"days": 14}), created(inLast={"weeks": 2})),
        ({"event": {"name": "order_placed"}}, bought(atLeast=1)),
        ({"not": {"event": {"name": "order_placed"}}}, bought(exactly=0)),
        (bought(atMost=2), {"not": bought(atLeast=3)}),
        ({"not": {"country": {"isSet": False}}}, {"country": {"isSet": True}}),
        (
            {"field": {"key": "tags", "list": {"hasNone": []}}},
            {"field": {"key": "tags", "list": {"isSet": True}}},
        ),
    ],
    ids=str,
)
def test_the_same_in_other_words_is_found_among_segments(one, other):
    same = 'It means the same as the segment "Existing".'

    assert same in told(one, Existing=other)
    assert same in told(other, Existing=one)
    assert same not in told(one, Existing={"not": other})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"all": [A, B]}, {"any": [A, B]}),
        ({"country": {"isNot": "LT"}}, {"not": A}),
        ({"event": {"name": "order_placed"}}, {"event": {"name": "Order_placed"}}),
        (size(lt=5), size(lte=5)),
        ({"externalId": {"isExactly": "a-1"}}, {"externalId": {"isExactly": "A-1"}}),
        ({"externalId": {"isExactly": "a-1"}}, {"externalId": {"is": "a-1"}}),
        (created(before="2026-01-01T00:00:00Z"), {"updatedAt": {"before": "2026-01-01T00:00:00Z"}}),
    ],
    ids=str,
)
def test_what_differs_is_not_called_the_same(one, other):
    assert not any("means the same" in sentence for sentence in told(one, Existing=other))


@pytest.mark.parametrize(
    ("condition", "sentences"),
    [
        ({"country": {"isNot": "LT"}}, ["People without a country are left out."]),
        ({"email": {"notContains": "@x"}}, ["People without an email are left out."]),
        ({"all": [C, {"country": {"notIn": ["LT"]}}]}, ["People without a country are left out."]),
        ({"not": A}, ["People without a country are not left out."]),
        ({"not": NEAR}, ["People without a location are not left out."]),
        ({"not": {"not": A}}, []),
        ({"all": [{"country": {"isSet": True}}, {"not": A}]}, []),
        ({"any": [{"country": {"isNot": "LT"}}, {"country": {"isSet": False}}]}, []),
        (
            {"any": [{"country": {"isNot": "LT"}}, C]},
            ['People without a country are left out where it says "whose country is set, but not "LT"".'],
        ),
        (size(ne=5), ['People without a value in the field "size" are left out.']),
        (
            {"lastEvent": {"name": "order_placed", "at": {"notInLast": {"days": 7}}}},
            ['People without any such event "order_placed" are left out.'],
        ),
        (
            {"not": {"lastEvent": {"name": "order_placed", "at": {"inLast": {"days": 7}}}}},
            ['People without any such event "order_placed" are not left out.'],
        ),
        (created(notInLast={"days": 7}), []),
        ({"not": bought(atLeast=3)}, []),
        (A, []),
        ({"not": C}, []),
    ],
    ids=str,
)
def test_missing_values(condition, sentences):
    assert told(condition) == sentences


@dataclass(frozen=True)
class Unheard(Leaf):
    """A kind of tomorrow."""

    body: tuple[tuple[str, object], ...]

    def dump(self, _):
        return {"unheard": dict(self.body)}

    def summary(self, _):
        return "who are unheard of"

    def evaluate(self, *_):
        return True

    def reads(self):
        return frozenset()

    def observe(self, *_):
        return None

    def sql(self, _):
        raise NotImplementedError


@pytest.mark.parametrize(
    "body",
    [
        (),
        (("from", 0), ("to", 5), ("salt", "is")),
        (("channel", "EMAIL"), ("changed", {"inLast": {"days": 7}})),
        (("anyOf", ["21"]), ("entered", {"isSet": False})),
        (("is", {"is": 5}), ("at", {"isSet": True})),
        (("is", {"isSet": False}), ("andAlso", 5)),
        (("key", "size"), ("is", {"fuzzily": 5})),
    ],
    ids=str,
)
def test_of_a_leaf_that_it_does_not_know_it_says_nothing(body):
    leaf = Unheard(body)
    tree = AnyOf(conditions=(leaf, Not(condition=Unheard((("salt", "x"),)))))

    assert warnings(tree, names=NAMES, vocabulary=VOCABULARY, others={}) == ()
    assert canonical(AnyOf(conditions=(leaf, Not(condition=leaf)))) == ALWAYS
    assert leaves_with_values(tree) == ()


def test_later_than_time_can_matter():
    still = {"later": {"by": {"days": 3}, "condition": {"country": {"is": "LT"}}}}
    moving = {"later": {"by": {"days": 3}, "condition": {"event": {"name": "email_opened"}}}}

    assert warnings(
        condition_of({"any": [still, moving]}), names=NAMES, vocabulary=VOCABULARY, others={}
    ) == ('Time alone never changes the condition inside later: "whose country is "LT"".',)


def test_event_names_that_nobody_knows():
    condition = {"any": [
        {"event": {"name": "unheard"}},
        {"lastEvent": {"name": "order_placed", "at": {"inLast": {"days": 1}}, "notFollowedBy": {"name": "of"}}},
    ]}  # fmt: skip

    assert told(condition) == [
        'No event called "of" is known yet.',
        'No event called "unheard" is known yet.',
    ]


def test_leaves_with_values_are_those_that_somebody_could_have():
    vip = {"field": {"key": "plan", "text": {"in": ["vip", "pro"]}}}
    condition = condition_of({"any": [A, {"not": vip}, A, B, C, size(gt=5), {"country": {"isNot": "LV"}}]})

    found = leaves_with_values(condition)

    assert found == (condition_of(A), condition_of(vip))
    assert nobody_has(found[1], NAMES) == 'There is nobody whose plan is "vip" or "pro".'
    assert leaves_with_values(condition_of({"all": [A, {"country": {"is": "LV"}}]})) == ()
    many = {"any": [{"country": {"is": str(number)}} for number in range(50)]}
    assert len(leaves_with_values(condition_of(many))) == 8


def test_long_lists_and_wide_trees_take_no_time():
    values = [str(number) for number in range(10_000)]
    wide = {
        "all": [{"country": {"notIn": values[:500]}}, *({"country": {"isNot": it}} for it in values[:199])]
    }

    assert told({"all": [{"country": {"in": values}}, {"country": {"notIn": values}}]})[:1] != [ALWAYS_TRUE]
    assert told(wide) == ["People without a country are left out."]


# ---- against the meaning itself


def rewritten(condition: Condition, chance: Chance) -> Condition:
    """The same in other words."""
    match condition:
        case All(conditions=children) | AnyOf(conditions=children):
            parts = [rewritten(child, chance) for child in children]
            chance.random.shuffle(parts)
            if parts and chance.random.random() < 0.3:
                parts.append(parts[0])
            if len(parts) > 1 and chance.random.random() < 0.3:
                parts = [type(condition)(conditions=tuple(parts[:2])), *parts[2:]]
            if chance.random.random() < 0.3:
                dual = AnyOf if isinstance(condition, All) else All
                return Not(condition=dual(conditions=tuple(Not(condition=part) for part in parts)))
            return type(condition)(conditions=tuple(parts))
        case Not(condition=child):
            return Not(condition=rewritten(child, chance))
        case leaf:
            return Not(condition=Not(condition=leaf)) if chance.random.random() < 0.2 else leaf


@pytest.mark.parametrize("seed", range(5))
def test_reasoning_agrees_with_the_evaluator_and_does_not_mind_the_words(seed):
    chance = Chance(seed)
    constant = 0
    for _ in range(share(300)):
        drawn = [chance.condition(segment_ids=[41], depth=2) for _ in range(2)]
        leaf = drawn[0]
        while leaf.children:
            leaf = leaf.children[0]
        condition = chance.random.choice([All, AnyOf])(conditions=(*drawn, leaf))
        form = canonical(condition)
        people = [chance.facts(1) for _ in range(6)]

        assert canonical(rewritten(condition, chance)) == form
        for person in people:
            moment = Moment(
                now=NOON,
                timezone=VOCABULARY.timezone,
                verdicts=defaultdict(lambda: chance.random.random() < 0.5),
            )
            verdict = condition.evaluate(person, moment)
            constant += form in (ALWAYS, NEVER)
            assert form != ALWAYS or verdict, condition
            assert form != NEVER or not verdict, condition

    assert constant > share(100)


@pytest.mark.parametrize("seed", range(3))
def test_comparisons_of_the_same_thing_agree_with_the_evaluator(seed):
    """Pairs of leaves about one thing, at instants where one of them may turn: whatever kinds and filters there are."""
    chance = Chance(seed)
    alike: dict[str, list[Leaf]] = defaultdict(list)
    for _ in range(share(1_000)):
        leaf = chance.condition(segment_ids=[41], depth=0)
        if not isinstance(leaf, Leaf):  # `later`, which takes a condition
            continue
        comparison = comparison_of(leaf)
        if comparison is not None:
            alike[comparison.subject].append(leaf)
    decided = 0
    for leaves in alike.values():
        for _ in range(min(share(30), len(leaves) ** 2)):
            one, other = (
                chance.random.choice([it, Not(condition=it)]) for it in chance.random.choices(leaves, k=2)
            )
            both, either = All(conditions=(one, other)), AnyOf(conditions=(one, other))
            forms = canonical(both), canonical(either)
            decided += forms[0] == NEVER or forms[1] == ALWAYS
            for person in (chance.facts(1) for _ in range(8)):
                moment = Moment(
                    now=chance.now(both, person), timezone=VOCABULARY.timezone, verdicts=defaultdict(bool)
                )
                assert forms[0] != NEVER or not both.evaluate(person, moment), (both, person, moment.now)
                assert forms[1] != ALWAYS or either.evaluate(person, moment), (either, person, moment.now)
                assert forms[0] != ALWAYS or both.evaluate(person, moment), (both, person, moment.now)
                assert forms[1] != NEVER or not either.evaluate(person, moment), (either, person, moment.now)

    assert decided > share(50)


def is_without(field_id: int, person: Facts) -> bool:
    return field_id not in person.fields


WITHOUT: dict[str, Callable[[Facts], bool]] = {
    "People without a postal code are left out.": lambda person: "postalCode" not in person.profile,
    **{
        f'People without a value in the field "{key}" are left out.': partial(is_without, ref.id)
        for key, ref in FIELDS.items()
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_whom_a_sentence_calls_left_out_is_left_out(seed):
    chance = Chance(seed)
    checked = 0
    for _ in range(600):
        condition = chance.condition(segment_ids=[41], depth=2)
        for sentence in warnings(condition, names=NAMES, vocabulary=VOCABULARY, others={}):
            lacks = WITHOUT.get(sentence)
            people = [chance.facts(1) for _ in range(20)] if lacks else []
            for person in filter(lacks, people):
                checked += 1
                assert not condition.evaluate(
                    person, Moment(now=NOON, timezone=VOCABULARY.timezone, verdicts=defaultdict(lambda: True))
                ), condition

    assert checked > 10
