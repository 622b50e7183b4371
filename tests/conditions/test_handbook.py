"""The handbook says what the code does: each of its examples is decided in Python and by each form of the SQL."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from audience_gql.conditions.codec import dump, parse
from audience_gql.conditions.evaluator import evaluate
from audience_gql.conditions.registry import Kind, condition_shape, input_types, kinds
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.conditions.words.handbook import VOCABULARY as EXAMPLES
from audience_gql.conditions.words.handbook import example_of, handbook
from tests.conditions.answers import by_filter, by_people, by_range
from tests.conditions.chance import NOON, Chance
from tests.conditions.world import VOCABULARY, Connection, Person, condition_of, facts_of, store

_ROOT = Path(__file__).parents[2]
_BUYERS = {41: condition_of({"event": {"name": "order_placed"}})}
_STRANGERS = 40


def _people() -> Iterator[Person]:
    """Everybody of the case files, a bucket each, and some strangers."""
    for bucket_id, path in enumerate(sorted((Path(__file__).parent / "cases").glob("*.json")), 1):
        people = json.loads(path.read_text())["people"].values()
        yield from (
            Person(bucket_id=bucket_id, facts=facts_of(id_, facts)) for id_, facts in enumerate(people, 1)
        )
    chance = Chance(1)
    yield from (chance.person(bucket_id=99, id=id_) for id_ in range(1, _STRANGERS + 1))


_PEOPLE = list(_people())


def test_the_checked_in_handbook_is_the_code_s() -> None:
    assert (_ROOT / "docs" / "conditions.md").read_text(encoding="utf-8") == handbook()


def test_every_kind_and_input_type_is_told_once_and_links_lead_to_headings() -> None:
    text = handbook()
    headings = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]

    assert len(set(headings)) == len(headings)
    assert [kind for kind in kinds() if kind not in headings] == []
    for declared in input_types():
        told = [
            f"input {declared.name}" in headings,
            f"enum {declared.name}" in headings,
            f": {declared.name}` —" in text,
        ]
        assert told.count(True) == (0 if declared is condition_shape() else 1), declared.name
    anchors = {heading.casefold().replace(" ", "-") for heading in headings}
    assert {part.partition(")")[0] for part in text.split("](#")[1:]} <= anchors


@pytest.mark.parametrize("kind", kinds().values(), ids=lambda kind: kind.name)
def test_examples_are_written_as_they_are_given_back(kind: Kind) -> None:
    condition = parse(example_of(kind), vocabulary=EXAMPLES, ids=PLAIN_IDS)

    assert dump(condition, ids=PLAIN_IDS) == example_of(kind)
    assert condition == parse(example_of(kind), vocabulary=VOCABULARY, ids=PLAIN_IDS)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stored(postgres: Connection) -> AsyncIterator[Connection]:
    """A connection inside a transaction that holds the people."""
    transaction = postgres.transaction()
    await transaction.start()
    await store(postgres, _PEOPLE)
    yield postgres
    await transaction.rollback()


@pytest.mark.parametrize("kind", kinds().values(), ids=lambda kind: kind.name)
async def test_examples_match_the_same_people_in_python_and_in_sql(stored: Connection, kind: Kind) -> None:
    condition = condition_of(example_of(kind))
    ids: dict[int, list[int]] = {}
    for person in _PEOPLE:
        ids.setdefault(person.bucket_id, []).append(person.id)
    where = (_BUYERS, NOON, ids)

    answers = [
        (await by_people(stored, {1: condition}, *where))[1],
        await by_range(stored, condition, *where),
        await by_filter(stored, condition, *where),
    ]

    matching = {
        (person.bucket_id, person.id)
        for person in _PEOPLE
        if evaluate(condition, person.facts, NOON, _BUYERS, timezone=VOCABULARY.timezone)
    }
    assert answers == [matching] * 3
    assert 0 < len(matching) < len(_PEOPLE), "choose an example that matches some people of the case files"
