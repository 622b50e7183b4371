"""Every case of cases/, decided in Python and by each form of the SQL; the case files say what is right."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
import pytest_asyncio

from audience_gql.conditions.base import Condition
from audience_gql.conditions.codec import dump
from audience_gql.conditions.evaluator import evaluate
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.conditions.words.summary import summarize
from tests.conditions.answers import by_filter, by_people, by_range
from tests.conditions.world import (
    NAMES,
    VOCABULARY,
    Connection,
    Person,
    condition_of,
    facts_of,
    instant,
    store,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    id: str
    bucket_id: int
    """A bucket for each file."""
    now: datetime
    people: dict[str, Facts]
    inner: dict[int, Condition]
    condition: Condition
    matches: frozenset[str]
    summary: str


def _cases() -> Iterator[Case]:
    for bucket_id, path in enumerate(sorted((Path(__file__).parent / "cases").glob("*.json")), 1):
        given = json.loads(path.read_text())
        for case in given["cases"]:
            yield Case(
                id=f"{path.stem}: {case['why']}",
                bucket_id=bucket_id,
                now=instant(given["now"]),
                people={
                    name: facts_of(id_, facts) for id_, (name, facts) in enumerate(given["people"].items(), 1)
                },
                inner={int(id_): condition_of(inner) for id_, inner in given.get("segments", {}).items()},
                condition=condition_of(case["condition"]),
                matches=frozenset(case["matches"]),
                summary=case["summary"],
            )


_CASES = list(_cases())


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.id)
def test_evaluation(case: Case) -> None:
    matches = {
        name
        for name, person in case.people.items()
        if evaluate(case.condition, person, case.now, case.inner, timezone=VOCABULARY.timezone)
    }

    assert matches == case.matches


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.id)
def test_summary(case: Case) -> None:
    assert summarize(case.condition, NAMES) == case.summary


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.id)
def test_round_trip(case: Case) -> None:
    written = json.loads(json.dumps(dump(case.condition, ids=PLAIN_IDS)))

    assert condition_of(written) == case.condition


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def everybody(postgres: Connection) -> AsyncIterator[None]:
    """The people of all files, in a transaction that lasts as long as the tests."""
    people_of = {case.bucket_id: case.people.values() for case in _CASES}
    transaction = postgres.transaction()
    await transaction.start()
    await store(
        postgres,
        [
            Person(bucket_id=bucket_id, facts=facts)
            for bucket_id, people in people_of.items()
            for facts in people
        ],
    )
    yield
    await transaction.rollback()


@pytest.mark.usefixtures("everybody")
@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.id)
async def test_sql(connection: Connection, case: Case) -> None:
    names = {person.id: name for name, person in case.people.items()}
    expected = frozenset((case.bucket_id, id_) for id_, name in names.items() if name in case.matches)
    where = (case.inner, case.now, {case.bucket_id: list(names)})

    assert await by_people(connection, {1: case.condition}, *where) == {1: expected}
    assert await by_range(connection, case.condition, *where) == expected
    assert await by_filter(connection, case.condition, *where) == expected
