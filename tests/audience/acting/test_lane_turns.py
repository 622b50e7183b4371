"""Endpoints take turns, and those that fail leave most places to the others."""

from __future__ import annotations

from collections.abc import Iterable

from audience_gql.audience.webhooks.lane_turns import LaneTurns
from audience_gql.storage.acting.deliveries import Lane


def begin(turns: LaneTurns, *lanes: tuple[int, int]) -> None:
    for lane in lanes:
        turns.want(Lane(*lane))


def started(turns: LaneTurns) -> list[tuple[int, int]]:
    return [(lane.bucket_id, lane.endpoint_id) for lane in iter(turns.start, None)]


def finish(turns: LaneTurns, lanes: Iterable[tuple[int, int]], *, is_failing: bool | None = False) -> None:
    for lane in lanes:
        turns.finish(Lane(*lane), is_failing=is_failing)


def test_endpoints_take_turns():
    turns = LaneTurns(3, an_endpoint=3)
    begin(turns, (1, 7), (2, 7), (3, 7), (1, 8), (2, 8))

    first = started(turns)
    finish(turns, first)

    assert first == [(1, 7), (1, 8), (2, 7)]
    assert started(turns) == [(2, 8), (3, 7)]


def test_an_endpoint_has_few_places():
    turns = LaneTurns(10, an_endpoint=2)
    begin(turns, (1, 7), (2, 7), (3, 7))

    first = started(turns)
    finish(turns, first[:1])

    assert first == [(1, 7), (2, 7)]
    assert started(turns) == [(3, 7)]


def test_a_lane_has_one_place_and_comes_again():
    turns = LaneTurns(10, an_endpoint=4)
    begin(turns, (1, 7), (1, 7))
    assert started(turns) == [(1, 7)]

    begin(turns, (1, 7))
    assert started(turns) == []
    finish(turns, [(1, 7)])

    assert started(turns) == [(1, 7)]
    finish(turns, [(1, 7)])
    assert started(turns) == []


def test_an_endpoint_that_fails_has_one_place_until_it_succeeds():
    turns = LaneTurns(10, an_endpoint=4)
    begin(turns, (1, 7), (2, 7), (3, 7))
    finish(turns, started(turns), is_failing=True)

    begin(turns, (1, 7), (2, 7))
    assert started(turns) == [(1, 7)]
    finish(turns, [(1, 7)], is_failing=None)
    assert started(turns) == [(2, 7)]
    finish(turns, [(2, 7)], is_failing=False)

    begin(turns, (1, 7), (2, 7))
    assert len(started(turns)) == 2


def test_many_endpoints_that_fail_leave_half_of_the_places():
    turns = LaneTurns(4, an_endpoint=1)
    dead = [(1, endpoint) for endpoint in range(10)]
    for lane in dead:
        begin(turns, lane)
        finish(turns, started(turns), is_failing=True)
    begin(turns, *dead)
    assert len(started(turns)) == 2

    begin(turns, (1, 20), (1, 21), (1, 22))

    assert started(turns) == [(1, 20), (1, 21)]
