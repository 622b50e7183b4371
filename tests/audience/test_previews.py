"""A preview counts what a segment would hold, says how sure it is, and leaves no trace."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random

import pytest

from audience_gql.audience.answers.previews import preview_segment
from audience_gql.audience.people.events import EventItem, track_events
from audience_gql.audience.people.keys import UNSET, SubscriberKey
from audience_gql.conditions.base import Leaf
from audience_gql.conditions.codec import parse
from audience_gql.conditions.sql.questions import OfRow
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import buckets, definitions
from audience_gql.storage.reads import previews
from audience_gql.storage.reads.counting import Budget
from audience_gql.storage.reads.pages import Filter

WHOLE = Budget(seconds=3600, first_seconds=60)
IN_TWO_SLICES = Budget(seconds=3600, first_seconds=60, whole_up_to=0)
"""The second one is all the rest."""
LITHUANIA = {"country": {"is": "LT"}}
COUNTRIES = ("LT", "LV", "EE", "PL", None)
CONDITIONS = [
    LITHUANIA,
    {"not": LITHUANIA},
    {"country": {"notIn": ["LT", "LV"]}},
    {"any": [{"country": {"is": "PL"}}, {"event": {"name": "bought", "times": {"atLeast": 2}}}]},
    {"event": {"name": "bought", "within": {"last": {"days": 7}}}},
    {"not": {"event": {"name": "bought"}}},
    {"eventTotal": {"name": "bought", "of": "value", "function": "SUM", "is": {"gt": 10}}},
    {"all": [LITHUANIA, {"lastEvent": {"name": "bought", "at": {"notInLast": {"days": 3}}}}]},
    {"externalId": {"endsWith": "7"}},
    {"externalId": {"is": "3"}},
    {"all": []},
    {"any": []},
]


def a_share(share: float) -> Budget:
    """Exactly one slice."""
    return Budget(seconds=0, first_seconds=60, first_share=share, whole_up_to=0)


async def preview(house, condition, *, compared_to=UNSET, sample=5, budget=WHOLE):
    return await preview_segment(
        ports=house.ports, workspace=house.workspace, condition=condition, ids=PLAIN_IDS, sample=sample,
        compared_to=compared_to, budget=budget,
    )  # fmt: skip


async def populate(house, count: int, seed: int, monkeypatch) -> None:
    """People with ids, facts and events that depend on nothing but the seed."""
    chance = Random(seed)
    monkeypatch.setattr(
        "audience_gql.audience.people.working_copy.random_subscriber_id", lambda: chance.getrandbits(62)
    )
    people = [{"externalId": str(n), "country": chance.choice(COUNTRIES)} for n in range(count)]
    for start in range(0, count, 1000):
        await house.upsert(*people[start : start + 1000])
    events = [
        EventItem(
            subscriber=SubscriberKey(kind="externalId", value=str(number)),
            name="bought",
            occurred_at=house.clock.instant - timedelta(days=chance.choice([0, 2, 5, 10, 20])),
            value=chance.choice([1, 5, 20]),
        )
        for number in chance.sample(range(count), count // 3)
        for _ in range(chance.choice([1, 2, 3]))
    ]
    await track_events(ports=house.ports, workspace=house.workspace, items=events)
    await house.tick()


async def everything_stored(house) -> list[object]:
    """How many rows every table has, and how far the bucket is."""
    tables = [
        "subscribers", "identities", "events", "event_names", "segments", "segment_members", "segment_states",
        "segment_dependencies", "membership_changes", "dirty", "channel_states", "subscriber_dates",
    ]  # fmt: skip
    counts = [await house.ports.database.fetchval(f"SELECT count(*) FROM {table}") for table in tables]
    bucket = await house.ports.database.fetchrow("SELECT * FROM buckets WHERE id = $1", house.bucket_id)
    return [*counts, tuple(bucket)]


@pytest.mark.parametrize("budget", [WHOLE, IN_TWO_SLICES], ids=["at once", "in slices"])
async def test_the_exact_count_is_the_membership_of_a_real_segment(house, monkeypatch, budget):
    await populate(house, 60, 1, monkeypatch)

    for number, condition in enumerate(CONDITIONS[:-1]):
        found = await preview(house, condition, sample=100, budget=budget)
        members = await house.members(await house.segment(f"segment {number}", condition))

        assert (found.size.count, found.size.margin) == (len(members), 0), condition
        assert {person.external_id for person in found.sample} == members, condition


async def test_the_sample_is_as_large_as_asked_for_and_always_the_same(house, monkeypatch):
    await populate(house, 60, 2, monkeypatch)

    three = await preview(house, LITHUANIA, sample=3, budget=IN_TWO_SLICES)
    again = await preview(house, LITHUANIA, sample=3)

    assert len(three.sample) == 3
    assert three.sample == again.sample
    assert {person.country for person in three.sample} == {"LT"}
    assert list(three.sample) == sorted(three.sample, key=lambda person: person.id)


async def test_a_condition_reads_segments_and_the_clock_at_one_instant(house):
    await house.upsert({"externalId": "ada"}, {"externalId": "bob"})
    await house.track("ada", "bought")
    buyers = await house.segment("Buyers", {"event": {"name": "bought", "within": {"last": {"hours": 1}}}})
    inside = {"segment": {"anyOf": [str(buyers.id)]}}

    before = await preview(house, inside)
    house.clock.advance(timedelta(hours=1))
    after = await preview(house, {"not": inside})

    assert [person.external_id for person in before.sample] == ["ada"]
    assert after.size.count == 2


async def test_more_time_counts_more_people_and_the_smaller_count_is_part_of_the_larger(house, monkeypatch):
    await populate(house, 400, 3, monkeypatch)
    seen = []

    for share in (1 / 16, 1 / 4, 1 / 2):
        tally = await tally_of(house, LITHUANIA, a_share(share))
        ids = await house.ports.database.fetch(
            "SELECT id FROM subscribers WHERE bucket_id = $1 AND id < $2", house.bucket_id, int(share * 2**62)
        )
        assert tally.people == 400
        assert tally.seen == len(ids)
        seen.append((tally.seen, tally.matched))

    assert seen == sorted(seen)
    assert seen[0][0] < seen[1][0] < seen[2][0] < 400


async def tally_of(house, condition, budget, *, compared_to=None):
    async with house.ports.database.snapshot() as connection:
        vocabulary = await definitions.vocabulary(connection, house.workspace.id)
        if not isinstance(condition, Leaf):
            condition = parsed(condition, vocabulary)
        matching = Filter(condition=condition, inner={}, vocabulary=vocabulary, now=house.clock.instant)
        return await previews.tally(
            connection, house.workspace.id, matching, compared_to=compared_to, sample=1, budget=budget
        )


def parsed(condition, vocabulary):
    return parse(condition, vocabulary=vocabulary, ids=PLAIN_IDS, allow_empty=True)


@pytest.mark.fuzz
async def test_the_margin_of_a_real_estimate_holds_the_truth(house, monkeypatch):
    """Another audience for every seed, each with ids of its own; nothing here is left to chance on another day."""
    trials = misses = 0
    for seed in range(8):
        for bucket in ("events", "identities", "subscriber_dates", "dirty", "subscribers"):
            key = "workspace_id = $1" if bucket == "identities" else "bucket_id = $1"
            owner = house.workspace.id if bucket == "identities" else house.bucket_id
            await house.ports.database.fetch(f"DELETE FROM {bucket} WHERE {key}", owner)
        await populate(house, 120, seed, monkeypatch)
        for condition in CONDITIONS:
            truth = await preview(house, condition, sample=0)
            for share in (1 / 8, 1 / 3):
                guess = await preview(house, condition, sample=0, budget=a_share(share))
                assert guess.size.margin > 0
                trials += 1
                misses += abs(guess.size.count - truth.size.count) > guess.size.margin

    assert trials == 192
    assert misses <= 0.05 * trials


async def test_the_counts_of_an_edit_are_those_of_its_update(house, monkeypatch):
    await populate(house, 60, 4, monkeypatch)
    segment = await house.segment("Edited", LITHUANIA)

    for condition in CONDITIONS[1:-1]:
        since = await house.ports.database.fetchval(
            "SELECT next_sequence - 1 FROM buckets WHERE id = $1", house.bucket_id
        )
        at_once = await preview(house, condition, compared_to=segment.id)
        in_slices = await preview(house, condition, compared_to=segment.id, budget=IN_TWO_SLICES)
        await house.edit(segment, condition)
        log = await house.log(since=since)

        entered = sum(entered for _, entered, _ in log)
        assert (at_once.would_enter, at_once.would_leave) == (entered, len(log) - entered), condition
        assert (in_slices.would_enter, in_slices.would_leave) == (entered, len(log) - entered), condition


async def test_an_estimated_edit_is_scaled_as_its_size_is(house, monkeypatch):
    await populate(house, 400, 5, monkeypatch)
    segment = await house.segment("Edited", LITHUANIA)

    found = await preview(house, {"not": LITHUANIA}, compared_to=segment.id, budget=a_share(1 / 4))

    assert found.size.margin > 0
    assert found.would_enter == found.size.count
    assert abs(found.would_enter + found.would_leave - 400) <= 1


async def test_nothing_is_written(house, monkeypatch):
    await populate(house, 20, 6, monkeypatch)
    segment = await house.segment("Compared", LITHUANIA)
    before = await everything_stored(house)

    await preview(house, {"any": [{"event": {"name": "never heard of"}}, LITHUANIA]}, compared_to=segment.id)

    assert await everything_stored(house) == before


async def test_every_bucket_counts(house):
    await house.upsert({"externalId": "in the first", "country": "LT"})
    async with house.ports.database.transaction() as transaction:
        second = await house.ports.database.ids.one(transaction.connection)
        await buckets.add_bucket(transaction.connection, house.workspace.id, second, house.clock.instant)
        await buckets.close_bucket(transaction.connection, house.bucket_id, beside=second)
    await house.upsert({"externalId": "in the second", "country": "LT"})

    found = await preview(house, LITHUANIA)

    assert found.size.count == 2
    assert {person.external_id for person in found.sample} == {"in the first", "in the second"}
    assert len({person.bucket_id for person in found.sample}) == 2


@dataclass(frozen=True)
class _SlowBeyond(Leaf):
    """Everybody; whoever has an id beyond a share of the ids takes a minute."""

    share: float

    def dump(self, _):
        return {"slow": self.share}

    def summary(self, _):
        return "who are slow"

    def evaluate(self, *_):
        return True

    def reads(self):
        return frozenset()

    def observe(self, *_):
        return None

    def sql(self, parameters):
        limit = parameters.constant(int(self.share * 2**62), "bigint")
        return OfRow(expression=f"CASE WHEN s.id < {limit} THEN TRUE ELSE pg_sleep(60) IS NULL END")


async def test_a_slice_that_takes_too_long_leaves_what_was_counted_before(house, monkeypatch):
    await populate(house, 100, 7, monkeypatch)
    budget = Budget(seconds=1, first_seconds=60, first_share=1 / 4, whole_up_to=0)

    tally = await tally_of(house, _SlowBeyond(1 / 4), budget)

    first = await tally_of(house, _SlowBeyond(1), a_share(1 / 4))
    assert (tally.seen, tally.matched, tally.people) == (first.seen, first.seen, 100)
    assert 0 < tally.seen < 100


async def test_a_first_slice_that_takes_too_long_is_made_smaller(house, monkeypatch):
    await populate(house, 100, 8, monkeypatch)
    budget = Budget(seconds=0, first_seconds=0.5, first_share=1.0, whole_up_to=0)

    tally = await tally_of(house, _SlowBeyond(1 / 16), budget)

    first = await tally_of(house, _SlowBeyond(1), a_share(1 / 16))
    assert (tally.seen, tally.matched, tally.people) == (first.seen, first.seen, 100)
    assert 0 < tally.seen < 100


async def test_a_search_for_a_value_that_takes_too_long_says_nothing(house):
    await house.upsert({"externalId": "ada"})

    async with house.ports.database.snapshot() as connection:
        vocabulary = await definitions.vocabulary(connection, house.workspace.id)
        matching = Filter(condition=_SlowBeyond(1), inner={}, vocabulary=vocabulary, now=house.clock.instant)
        nobody = parsed({"country": {"is": "XX"}}, vocabulary)
        found = await previews.never_seen(
            connection, house.workspace.id, [nobody, _SlowBeyond(0), nobody], matching, seconds=1
        )

    assert found == [nobody]
