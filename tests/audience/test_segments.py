"""Segments are defined, edited, refused and deleted; every edit is followed by everything that reads it."""

from __future__ import annotations

import asyncio

import pytest

from audience_gql.audience.definitions import definition_limits, stored_conditions
from audience_gql.audience.definitions.recomputes import recompute_progress
from audience_gql.audience.definitions.segments import (
    InUse,
    RevisionConflict,
    SegmentCycle,
    create_segment,
    delete_segment,
    update_segment,
)
from audience_gql.audience.failures import InvalidInput, NameTaken, NotFound
from audience_gql.conditions import codec
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage.engine import membership
from audience_gql.storage.orm.models import Segment

LITHUANIA = {"country": {"is": "LT"}}
LATVIA = {"country": {"is": "LV"}}


def inside(*segments: Segment) -> dict[str, object]:
    return {"segment": {"anyOf": [str(segment.id) for segment in segments]}}


async def update(house, segment, **changes):
    return await update_segment(
        ports=house.ports, workspace=house.workspace, segment_id=segment.id, ids=PLAIN_IDS, **changes
    )


async def people(house) -> None:
    await house.upsert({"externalId": "ada", "country": "LT"}, {"externalId": "bob", "country": "LV"})
    await house.tick()


async def test_a_new_segment_is_filled_with_those_who_match_already(house):
    await people(house)

    segment = await house.segment("Lithuania", LITHUANIA)

    assert house.jobs.fills == [segment.id]
    assert await house.members(segment) == {"ada"}
    assert await house.log() == [("ada", True, "DEFINITION")]


async def test_an_edit_refills_the_segment_and_those_that_read_it(house):
    await people(house)
    country = await house.segment("Country", LITHUANIA)
    outer = await house.segment("Outer", {"all": [inside(country), {"country": {"isSet": True}}]})
    outermost = await house.segment("Outermost", {"not": inside(outer)})

    edited = await house.edit(country, LATVIA)

    assert edited.revision == 2
    assert await house.members(country) == {"bob"}
    assert await house.members(outer) == {"bob"}
    assert await house.members(outermost) == {"ada"}
    assert (await Segment.get(id=outer.id)).revision == 1


async def test_a_fill_in_small_ranges_resumes_where_it_was(house):
    await house.upsert(*({"externalId": str(n), "country": "LT" if n % 2 else "LV"} for n in range(50)))
    await house.tick()
    segment = await create_segment(
        ports=house.ports,
        workspace=house.workspace,
        name="S",
        description=None,
        condition=LITHUANIA,
        ids=PLAIN_IDS,
    )

    for _ in range(3):
        assert await house.membership._filling._fill_range(house.bucket_id, segment.id, 7)
    part = await house.members(segment)
    await house.upsert({"externalId": "0", "country": "LT"}, {"externalId": "1", "country": None})
    await house.tick()
    await house.fill()

    assert 0 < len(part) < 25
    assert await house.members(segment) == {str(n) for n in range(50) if n % 2 and n != 1} | {"0"}


async def test_a_circle_is_refused_with_the_way_round_and_nothing_changes(house):
    a = await house.segment("A", LITHUANIA)
    b = await house.segment("B", inside(a))
    c = await house.segment("C", inside(b))

    with pytest.raises(SegmentCycle) as refused:
        await update(house, a, condition={"any": [LATVIA, inside(c)]})

    assert set(refused.value.cycle) == {a.id, b.id, c.id}
    assert refused.value.cycle[0] == refused.value.cycle[-1]
    assert (await Segment.get(id=a.id)).revision == 1
    with pytest.raises(SegmentCycle):
        await update(house, a, condition=inside(a))


async def test_two_edits_that_would_close_a_circle_together_cannot_both_win(house):
    a = await house.segment("A", LITHUANIA)
    b = await house.segment("B", LATVIA)

    results = await asyncio.gather(
        update(house, a, condition=inside(b)), update(house, b, condition=inside(a)), return_exceptions=True
    )

    assert sorted(type(result).__name__ for result in results) == ["Segment", "SegmentCycle"]


async def test_names_are_unique_and_missing_ones_refused(house):
    await house.segment("Straße", LITHUANIA)

    with pytest.raises(NameTaken):
        await house.segment("STRASSE", LITHUANIA)
    with pytest.raises(InvalidInput) as refused:
        await house.segment(" ", {"country": {"is": 5}})
    assert {issue.path for issue in refused.value.issues} == {
        ("name",),
        ("condition", "country", "is"),
    }


async def test_a_workspace_has_so_many_segments_and_no_more(house, monkeypatch):
    monkeypatch.setattr(definition_limits, "SEGMENTS_A_WORKSPACE", 2)
    first = await house.segment("First", {"country": {"is": "LT"}})
    await house.segment("Second", {"country": {"is": "LV"}})

    with pytest.raises(InvalidInput) as refused:
        await house.segment("Third", {"country": {"is": "EE"}})

    (issue,) = refused.value.issues
    assert (issue.code, issue.path) == ("TOO_MANY", ())
    assert issue.message == "a workspace has at most 2 segments; delete one that is not needed"
    assert await Segment.filter(workspace_id=house.workspace.id).count() == 2
    await house.edit(first, {"country": {"is": "EE"}})
    await delete_segment(ports=house.ports, workspace=house.workspace, segment_id=first.id)
    await house.segment("Third", {"country": {"is": "EE"}})


async def test_a_save_reads_only_the_conditions_that_it_needs(house, monkeypatch):
    segments = [await house.segment(f"S {number}", {"country": {"is": "LT"}}) for number in range(10)]
    reader = await house.segment("Reader", {"segment": {"anyOf": [str(segments[0].id)]}})
    last = await house.segment("Last", {"not": {"segment": {"anyOf": [str(reader.id)]}}})
    read: list[object] = []
    honest = codec.parse

    def parse(stored, **more):
        read.append(stored)
        return honest(stored, **more)

    monkeypatch.setattr(stored_conditions, "parse", parse)

    await house.segment("New", {"segment": {"anyOf": [str(last.id)]}})
    of_a_new_one = len(read)
    read.clear()
    await house.edit(segments[0], {"country": {"is": "LV"}})

    assert of_a_new_one == 3  # those that it reads
    assert len(read) == 4  # its old one, for the history, and those that read it: the two, and the new one


async def test_a_stale_edit_is_refused(house):
    segment = await house.segment("S", LITHUANIA)
    await update(house, segment, name="Renamed")

    with pytest.raises(RevisionConflict):
        await update(house, segment, condition=LATVIA, if_revision=1)

    assert (await Segment.get(id=segment.id)).condition == LITHUANIA


async def test_what_others_read_cannot_be_deleted(house):
    inner = await house.segment("Inner", LITHUANIA)
    outer = await house.segment("Outer", inside(inner))

    with pytest.raises(InUse) as refused:
        await delete_segment(ports=house.ports, workspace=house.workspace, segment_id=inner.id)

    assert refused.value.used_by == (outer.id,)
    assert await Segment.exists(id=inner.id)


async def test_a_deleted_segment_leaves_nothing_behind(house):
    await people(house)
    segment = await house.segment("S", LITHUANIA)

    await delete_segment(ports=house.ports, workspace=house.workspace, segment_id=segment.id)
    await house.fill()

    assert await house.members(segment) == set()
    left = await house.ports.database.fetchval(
        "SELECT count(*) FROM segment_states WHERE segment_id = $1", segment.id
    )
    assert left == 0
    with pytest.raises(NotFound):
        await delete_segment(ports=house.ports, workspace=house.workspace, segment_id=segment.id)


@pytest.mark.parametrize("what", ["delete", "edit"])
async def test_a_segment_may_go_or_change_in_the_middle_of_its_fill(house, monkeypatch, what):
    await people(house)
    segment = await create_segment(
        ports=house.ports, workspace=house.workspace, name="S", description=None, condition=LITHUANIA, ids=PLAIN_IDS
    )  # fmt: skip
    look = membership.segment_to_fill
    seen: list[object] = []

    async def look_and_be_overtaken(connection, bucket_id, segment_id):
        state = await look(connection, bucket_id, segment_id)
        if state is not None and state.is_started and not seen:
            seen.append(state)
            if what == "delete":
                await delete_segment(ports=house.ports, workspace=house.workspace, segment_id=segment_id)
            else:
                await update(house, segment, condition=LATVIA)
        return state

    monkeypatch.setattr(membership, "segment_to_fill", look_and_be_overtaken)

    await house.membership.fill(house.bucket_id, segment.id)

    assert await house.members(segment) == (set() if what == "delete" else {"bob"})
    assert [name for name, *_ in await house.log()] == ([] if what == "delete" else ["bob"])


async def test_a_recompute_repairs_what_is_wrong_and_reports_to_the_end(house):
    await people(house)
    segment = await house.segment("S", LITHUANIA)
    await house.ports.database.fetch(
        "DELETE FROM segment_members WHERE bucket_id = $1 AND segment_id = $2", house.bucket_id, segment.id
    )

    progress = []
    async for step in recompute_progress(ports=house.ports, workspace=house.workspace, segment_id=segment.id):
        progress.append(step)
        await house.membership.fill(house.bucket_id, segment.id)

    assert [step.phase for step in progress] == ["QUEUED", "DONE"]
    assert (progress[-1].entered, progress[-1].left) == (1, 0)
    assert await house.members(segment) == {"ada"}
    assert await house.log(since=1) == [("ada", True, "REPAIR")]


async def test_a_segment_that_cannot_be_computed_fails_alone(house, monkeypatch):
    await people(house)
    good = await house.segment("Good", LITHUANIA)
    bad = await house.segment("Bad", LATVIA)
    compiled = house.membership._verdicts.evaluation._people_statement

    def broken(evaluable, segment_ids):
        statement = compiled(evaluable, segment_ids)
        if bad.id in segment_ids:
            object.__setattr__(
                statement,
                "sql",
                statement.sql.replace(
                    "WHERE s.bucket_id = $1", "WHERE 1 / (s.id - s.id) = 0 AND s.bucket_id = $1"
                ),
            )
        return statement

    monkeypatch.setattr(house.membership._verdicts.evaluation, "_people_statement", broken)
    await house.upsert({"externalId": "bob", "country": "LT"})
    await house.tick()

    assert await house.members(good) == {"ada", "bob"}
    assert "division by zero" in ((await Segment.get(id=bad.id)).failure or "")

    monkeypatch.undo()
    await house.edit(bad, {"country": {"in": ["LV", "EE"]}})
    assert (await Segment.get(id=bad.id)).failure is None
    assert await house.members(bad) == set()
