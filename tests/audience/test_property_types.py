"""A preview says when events have another type in a property than a condition wants, and only when that is true."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from audience_gql.audience.answers.previews import preview_segment
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage.reads.counting import Budget

NAMES = ("paid", "opened")
KEYS = ("total", "brand")
VALUES: dict[str, list[object]] = {
    "text": ["LT", "5"],
    "number": [5, 0.5],
    "boolean": [True, False],
    "other": [["x"], {"y": 1}],
}
TESTS: dict[str, list[object]] = {
    "text": [{"is": "LT"}, {"isNot": "LT"}, {"contains": ""}, {"isSet": True}],
    "number": [{"gt": 3}, {"ne": 4}, {"between": {"from": 1, "to": 2}}, {"isSet": True}],
    "boolean": [{"is": True}, {"isSet": True}],
}


async def warnings(house, condition: object) -> list[str]:
    preview = await preview_segment(
        ports=house.ports, workspace=house.workspace, condition=condition, ids=PLAIN_IDS, budget=Budget()
    )
    return [it for it in preview.warnings if it.startswith("In the latest")]


def paid(**test: object) -> dict[str, object]:
    return {"event": {"name": "paid", "where": [{"key": "total", **test}]}}


@pytest.fixture
async def shop(house):
    await house.upsert({"externalId": "ada"})
    for total in (5, 7, True):
        await house.track("ada", "paid", properties={"total": total, "brand": "LT"})
    await house.track("ada", "paid", properties={})
    return house


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        (paid(text={"is": "5"}), 'In the latest 3 "paid" events with "total", it is true or false or a number, and never a text.'),
        (
            {"not": {"event": {"name": "paid", "where": [{"key": "brand", "number": {"gt": 5}}]}}},
            'In the latest 3 "paid" events with "brand", it is a text, and never a number.',
        ),
        (
            {"eventTotal": {"name": "paid", "of": "brand", "function": "SUM", "is": {"gt": 5}}},
            'In the latest 3 "paid" events with "brand", it is a text, and never a number.',
        ),
    ],
)  # fmt: skip
async def test_another_type_is_told(shop, condition, sentence):
    assert await warnings(shop, condition) == [sentence]


@pytest.mark.parametrize(
    "condition",
    [
        paid(number={"gt": 5}),
        paid(boolean={"is": False}),
        paid(text={"isSet": False}),
        {"event": {"name": "paid", "where": [{"key": "unheard", "text": {"is": "5"}}]}},
        {"event": {"name": "unheard", "where": [{"key": "total", "text": {"is": "5"}}]}},
        {"eventTotal": {"name": "paid", "of": "brand", "function": "DISTINCT", "is": {"gt": 5}}},
        {"eventTotal": {"name": "paid", "of": "value", "function": "SUM", "is": {"gt": 5}}},
        {"all": [paid(text={"is": "5"}), {"any": []}]},
    ],
    ids=str,
)
async def test_what_fits_or_is_not_known_is_not_told(shop, condition):
    assert await warnings(shop, condition) == []


async def test_events_of_the_future_are_not_looked_at(shop):
    ahead = shop.clock.instant + timedelta(hours=1)
    await shop.track("ada", "paid", occurred_at=ahead, properties={"total": "5"})

    assert len(await warnings(shop, paid(text={"is": "5"}))) == 1


@pytest.mark.parametrize("seed", range(4))
async def test_in_random_worlds_it_is_told_just_where_no_event_has_the_type(house, seed):
    chance = Random(seed)
    await house.upsert({"externalId": "ada"}, {"externalId": "bob"})
    there: set[tuple[str, str, str]] = set()
    for _ in range(8):
        name, key, kind = chance.choice(NAMES), chance.choice(KEYS), chance.choice(list(VALUES))
        there.add((name, key, kind))
        properties = {key: chance.choice(VALUES[kind])} | ({"brand": None} if key == "total" else {})
        await house.track(chance.choice(["ada", "bob"]), name, properties=properties)
    with_any = {(name, key) for name, key, _ in there}

    for name in NAMES:
        for key in KEYS:
            for kind, tests in TESTS.items():
                where = [{"key": key, kind: chance.choice(tests)}]
                told = await warnings(house, {"event": {"name": name, "where": where}})
                assert bool(told) is ((name, key) in with_any and (name, key, kind) not in there), (
                    where,
                    there,
                )
