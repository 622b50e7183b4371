"""Insights into a real purchase log equal what plain Python finds in the raw file."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import NamedTuple

import pytest
import pytest_asyncio

from audience_gql.audience.testing import MemorySignals
from audience_gql.definition_files.telling import told
from audience_gql.definition_files.texts import Text
from audience_gql.demo import cdnow, loading, opening
from audience_gql.storage.orm.models import Segment
from tests.api.conftest import NOON, new_workspace
from tests.api.test_definition_sets import plan
from tests.api.test_documented_operations import with_ids
from tests.pages import snippets

FUNNEL = """
query ($condition: ConditionInput!) {
  previewSegment(condition: $condition) { ... on SegmentPreview { memberCount funnel {
    people isExact nodes { path matched nearMisses }
  } } }
}
"""
NEAR_MISSES = """
query ($condition: ConditionInput!, $after: String) {
  previewSegment(condition: $condition, sample: 0) { ... on SegmentPreview { funnel { nodes {
    path nearMissPeople(first: 100, after: $after) { edges { node { externalId } } pageInfo { hasNextPage endCursor } }
  } } } }
}
"""
OPENED = [("segment", opening.RECENT), ("group", opening.THANKS), ("automation", opening.THANKS)]
"""What the demo also defines, when it opens."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(schema, database, tick_pool):
    """A workspace with the whole log. Its segments are filled."""
    api = await new_workspace(schema, database, tick_pool, MemorySignals())
    await loading.load(ports=api.services.ports, workspace=api.access.workspace, advance=lambda _: None)
    for segment in await Segment.filter(workspace_id=api.access.workspace.id).order_by("id"):
        await api.membership.fill(api.bucket_id, segment.id)
    while not (ticked := await api.membership.tick(api.bucket_id)) or not ticked.is_drained:
        continue
    async with database.acquire() as connection:
        await connection.execute("ANALYZE segment_members")  # as a worker does after a fill
    return api


class Customer:
    """What the raw file says about one person."""

    def __init__(self) -> None:
        self.orders: list[tuple[timedelta, Decimal, date]] = []

    def ordered_within(self, days: int) -> bool:
        return any(age < timedelta(days=days) for age, _, _ in self.orders)

    @property
    def spent(self) -> Decimal:
        return sum((dollars for _, dollars, _ in self.orders), Decimal())


class Verdicts(NamedTuple):
    """The verdicts of the leaves of a funnel's condition on one person."""

    is_january: bool
    is_loyal: bool
    is_big: bool
    is_late: bool

    @classmethod
    def on(cls, person: Customer) -> Verdicts:
        first_day = min(day for _, _, day in person.orders)
        return cls(
            first_day.month == 1, len(person.orders) >= 5, person.spent > 200, person.ordered_within(90)
        )


@pytest.fixture(scope="module")
def customers() -> dict[str, Customer]:
    """Everybody in the raw file."""
    found: dict[str, Customer] = defaultdict(Customer)
    for purchase in cdnow.purchases():
        age = NOON - cdnow.occurred_at(purchase, NOON)
        found[purchase.customer_id].orders.append((age, purchase.dollars, purchase.day))
    return found


def of_the_demo(known: dict[str, Customer]) -> dict[str, set[str]]:
    """The members of the demo's segments."""
    lately = {name for name, it in known.items() if it.ordered_within(30)}
    found = {
        "Big spenders": {name for name, it in known.items() if it.spent > 200},
        "Loyal": {name for name, it in known.items() if len(it.orders) >= 5},
        "Active buyers": lately,
        "Lapsing": {name for name, it in known.items() if it.ordered_within(90)} - lately,
        "Lost": {name for name, it in known.items() if not it.ordered_within(365)},
    }
    return {**found, "Loyal and lapsing": found["Loyal"] & found["Lapsing"]}


OVERLAPS = """
query ($ids: [ID!]!, $id: ID!) {
  segmentOverlap(segmentIds: $ids) { members segments { name } }
  segment(by: {id: $id}) { similar(first: 50) { segment { name } both jaccard containedShare containsShare } }
}
"""


@pytest.mark.bulk
async def test_the_plan_of_the_readme_is_the_demo_s(shop):
    """It comes first, because the tests below create segments that read others."""
    (file,) = [text for page, language, text in snippets() if (page, language) == ("README.md", "yaml")]
    shown = [text for page, language, text in snippets() if (page, language) == ("README.md", "text")]

    planned = await plan(shop, {"segments": [Text.read(file).value]})

    others = len(planned["unmanaged"]) + len(OPENED)
    assert "\n".join(told({**planned, "unmanaged": [], "unchanged": others})) + "\n" in shown


@pytest.mark.bulk
async def test_overlaps_equal_plain_python(shop, customers):
    sets = of_the_demo(customers)
    listed = (await shop.data("{ segments(first: 100) { edges { node { id name } } } }"))["segments"]["edges"]
    ids = {edge["node"]["name"]: edge["node"]["id"] for edge in listed}
    inside = Counter(frozenset(name for name, own in sets.items() if person in own) for person in customers)

    found = await shop.data(OVERLAPS, ids=[ids[name] for name in sets], id=ids["Loyal"])

    told = {
        frozenset(it["name"] for it in one["segments"]): one["members"] for one in found["segmentOverlap"]
    }
    assert told == {names: people for names, people in inside.items() if names}
    loyal = sets["Loyal"]
    similar = {one["segment"]["name"]: one for one in found["segment"]["similar"]}
    for name, other in sets.items():
        both = len(loyal & other)
        if name != "Loyal" and both:
            one = similar[name]
            assert (one["both"], one["jaccard"]) == (both, pytest.approx(both / len(loyal | other)))
            assert one["containedShare"] == pytest.approx(both / len(loyal))
            assert one["containsShare"] == pytest.approx(both / len(other))


SPLIT = """
mutation ($id: ID!) {
  splitSegment(input: {segmentId: $id, salt: "spring", shares: [{name: "S1"}, {name: "S2"}, {name: "S3"}]}) {
    ... on SplitSegmentPayload { segments { id name } }
  }
}
"""


@pytest.mark.bulk
async def test_a_split_equals_plain_python(shop, customers):
    loyal = of_the_demo(customers)["Loyal"]
    whole = (await shop.data('{ segment(by: {name: "Loyal"}) { id } }'))["segment"]["id"]
    rows = await shop.services.ports.database.fetch(
        "SELECT id, external_id FROM subscribers WHERE bucket_id = $1", shop.bucket_id
    )
    tickets = {
        row["external_id"]: int.from_bytes(sha256(f"spring:{row['id']}".encode()).digest()[:6])
        for row in rows
    }

    shares = (await shop.data(SPLIT, id=whole))["splitSegment"]["segments"]

    for number, share in enumerate(shares):
        await shop.membership.fill(shop.bucket_id, await number_of(shop, share["name"]))
        members = await names_of(shop, share["name"])
        assert members == {name for name in loyal if tickets[name] * 3 // 2**48 == number}
        assert 0.25 < len(members) / len(loyal) < 0.42


async def number_of(shop, name: str) -> int:
    segment = await Segment.get(workspace_id=shop.access.workspace.id, name=name)
    return segment.id


async def names_of(shop, name: str) -> set[str]:
    rows = await shop.services.ports.database.fetch(
        "SELECT s.external_id FROM segment_members m JOIN subscribers s ON s.bucket_id = m.bucket_id AND s.id = m.subscriber_id "
        "WHERE m.bucket_id = $1 AND m.segment_id = $2",
        shop.bucket_id,
        await number_of(shop, name),
    )
    return {row["external_id"] for row in rows}


@pytest.mark.bulk
async def test_a_funnel_equals_plain_python(shop, customers):
    january = {"field": {"key": "cohort", "text": {"is": "1997-01"}}}
    loyal = {"event": {"name": "order_placed", "times": {"atLeast": 5}}}
    lately = {"event": {"name": "order_placed", "within": {"last": {"days": 90}}}}
    spent = {"eventTotal": {"name": "order_placed", "of": "value", "function": "SUM", "is": {"gt": 200}}}
    condition = {"all": [january, {"any": [loyal, spent]}, {"not": lately}]}

    def whole(it: Verdicts) -> bool:
        return it.is_january and (it.is_loyal or it.is_big) and not it.is_late

    flipped = {
        "": lambda it: not whole(it),
        "all.0": lambda it: whole(it._replace(is_january=not it.is_january)),
        "all.1": lambda it: it.is_january and not (it.is_loyal or it.is_big) and not it.is_late,
        "all.1.any.0": lambda it: whole(it._replace(is_loyal=not it.is_loyal)),
        "all.1.any.1": lambda it: whole(it._replace(is_big=not it.is_big)),
        "all.2": lambda it: it.is_january and (it.is_loyal or it.is_big) and it.is_late,
        "all.2.not": lambda it: whole(it._replace(is_late=not it.is_late)),
    }
    alone = {
        "": whole,
        "all.0": lambda it: it.is_january,
        "all.1": lambda it: it.is_loyal or it.is_big,
        "all.1.any.0": lambda it: it.is_loyal,
        "all.1.any.1": lambda it: it.is_big,
        "all.2": lambda it: not it.is_late,
        "all.2.not": lambda it: it.is_late,
    }
    known = {name: Verdicts.on(person) for name, person in customers.items()}
    lacking = {
        path: {name for name, it in known.items() if not whole(it) and flip(it)}
        for path, flip in flipped.items()
    }
    expected = {path: (sum(map(test, known.values())), len(lacking[path])) for path, test in alone.items()}
    shop.services = replace(shop.services, settings=replace(shop.services.settings, preview_seconds=3600.0))
    found = (await shop.data(FUNNEL, condition=condition))["previewSegment"]
    people = await everybody(shop, condition, ["all", "2"])

    assert found["memberCount"] == expected[""][0] > 0
    assert (found["funnel"]["people"], found["funnel"]["isExact"]) == (cdnow.CUSTOMERS, True)
    counted = {".".join(it["path"]): (it["matched"], it["nearMisses"]) for it in found["funnel"]["nodes"]}
    assert counted == expected
    assert sorted(people) == sorted(lacking["all.2"])


async def everybody(api, condition, path) -> list[str]:
    """The external ids of all near misses of a node, page by page."""
    names: list[str] = []
    after = None
    while True:
        found = await api.data(NEAR_MISSES, condition=condition, after=after)
        nodes = found["previewSegment"]["funnel"]["nodes"]
        page = next(node["nearMissPeople"] for node in nodes if node["path"] == path)
        names += [edge["node"]["externalId"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            return names
        after = page["pageInfo"]["endCursor"]


ADVICE = """
{ segmentAdvice(kinds: [EQUAL, ALIKE, CONTAINED], first: 100) { kind segment { name } other { name } people } }
"""


@pytest.mark.bulk
async def test_pairs_of_segments_equal_plain_python(shop, customers):
    ordered = {"name": "order_placed"}
    wanted = {
        **{f"{least} orders": {"event": {**ordered, "times": {"atLeast": least}}} for least in range(2, 12)},
        **{
            f"{least} dollars": {
                "eventTotal": {**ordered, "of": "value", "function": "SUM", "is": {"gte": least}}
            }
            for least in (50, 51, 52, 60, 90, 100, 101, 150, 190, 200)
        },
        **{
            f"{days} days": {"event": {**ordered, "within": {"last": {"days": days}}}}
            for days in (30, 60, 90, 91, 180, 360)
        },
        "not in 30 days": {"not": {"event": {**ordered, "within": {"last": {"days": 30}}}}},
        "again 5 orders": {"any": [{"event": {**ordered, "times": {"atLeast": 5}}}]},
    }
    await shop.segments(wanted)
    sets = {
        f"{n} orders": {name for name, it in customers.items() if len(it.orders) >= n} for n in range(2, 12)
    }
    for n in (50, 51, 52, 60, 90, 100, 101, 150, 190, 200):
        sets[f"{n} dollars"] = {name for name, it in customers.items() if it.spent >= n}
    for n in (30, 60, 90, 91, 180, 360):
        sets[f"{n} days"] = {name for name, it in customers.items() if it.ordered_within(n)}
    sets["not in 30 days"] = customers.keys() - sets["30 days"]
    sets["again 5 orders"] = sets["5 orders"]
    demo = of_the_demo(customers)

    found = (await shop.data(ADVICE))["segmentAdvice"]

    told = {it["segment"]["name"]: (it["kind"], it["other"]["name"], it["people"]) for it in found}
    assert len(told) == len(found)
    expected = pairs_of(
        {**demo, **sets}, nested={("Loyal and lapsing", "Loyal"), ("Loyal and lapsing", "Lapsing")}
    )
    assert told == expected
    assert {kind for kind, _, _ in told.values()} == {"EQUAL", "ALIKE", "CONTAINED"}


def pairs_of(sets: dict[str, set[str]], *, nested: set[tuple[str, str]]) -> dict[str, tuple[str, str, int]]:
    """By segment, in the order of their creation: the advice about the segment that it is most like, or else the smallest around it."""
    ages = {name: age for age, name in enumerate(sets)}
    found = {}
    for name, few in sets.items():
        others = [
            (many, other)
            for other, many in sets.items()
            if other != name and (len(few), -ages[name]) < (len(many), -ages[other])
        ]
        alike = [
            (-len(few & many) / len(few | many), len(many), ages[other], other)
            for many, other in others
            if len(few & many) >= 0.95 * len(few | many) and (name, other) not in nested
        ]
        around = [
            (len(many), ages[other], other)
            for many, other in others
            if few <= many and len(few) >= 0.8 * len(many) and (name, other) not in nested
        ]
        if alike:
            other = min(alike)[-1]
            found[name] = ("EQUAL" if sets[other] == few else "ALIKE", other, len(few & sets[other]))
        elif around:
            found[name] = ("CONTAINED", min(around)[-1], len(few))
    return found


QUESTIONS = [text for page, language, text in snippets() if (page, language) == ("README.md", "graphql")]


@pytest.mark.bulk
async def test_every_question_of_the_readme_has_an_answer(shop):
    assert len(QUESTIONS) > 8
    await shop.segments({"Loyal too": {"event": {"name": "order_placed", "times": {"atLeast": 5}}}})

    for question in QUESTIONS:
        answer = await shop.data(await with_ids(shop, question))
        await shop.fill()

        assert None not in answer.values(), question
        assert says_something(answer), question


def says_something(answer: object) -> bool:
    """Whether no object or list in it is empty, as it would be if nobody were found, or if a mutation failed."""
    if isinstance(answer, dict | list):
        parts = answer.values() if isinstance(answer, dict) else answer
        return bool(answer) and all(map(says_something, parts))
    return True
