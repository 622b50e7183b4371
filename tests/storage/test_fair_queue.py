"""Places that are shared among tokens and workspaces: who gets one, who waits, and in which order."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack

import pytest

from audience_gql.storage.turns import fair_queue
from audience_gql.storage.turns.fair_queue import Asker, Beginnings, Bounds, FairQueue, Overloaded, asking

ADA, BOB, CYD = (
    Asker(workspace_id=1, token_id=1),
    Asker(workspace_id=1, token_id=2),
    Asker(workspace_id=2, token_id=3),
)


def queue(**changed) -> FairQueue:
    usual = {"places": 4, "per_token": 2, "per_workspace": 3, "waiting_per_token": 10, "wait_seconds": 5.0}
    return FairQueue(Bounds(**{**usual, **changed}))


async def hold(of: FairQueue, asker: Asker, until: asyncio.Event) -> None:
    with asking(asker):
        async with of.place():
            await until.wait()


class Crowd:
    """Askers that hold what they get until they are let go, and in which order they got it."""

    def __init__(self, of: FairQueue) -> None:
        self._of = of
        self.came: list[Asker] = []
        self._holds: dict[Asker, list[asyncio.Event]] = {}
        self.tasks: list[asyncio.Task[None]] = []

    async def ask(self, *askers: Asker) -> None:
        for asker in askers:
            self.tasks.append(asyncio.create_task(self._ask(asker)))
            await asyncio.sleep(0)

    async def _ask(self, asker: Asker) -> None:
        until = asyncio.Event()
        with asking(asker):
            async with self._of.place():
                self.came.append(asker)
                self._holds.setdefault(asker, []).append(until)
                await until.wait()

    async def let_go(self, asker: Asker) -> None:
        self._holds[asker].pop(0).set()
        for _ in range(5):
            await asyncio.sleep(0)

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_a_token_has_its_share_and_others_pass():
    crowd = Crowd(queue())

    await crowd.ask(ADA, ADA, ADA, BOB, CYD)

    assert crowd.came == [ADA, ADA, BOB, CYD]
    await crowd.let_go(ADA)
    assert crowd.came[-1] == ADA
    await crowd.end()


async def test_a_token_that_is_alone_has_more_until_others_come():
    crowd = Crowd(queue(places=8, per_token=4, per_workspace=8, kept_free=2))
    await crowd.ask(*[ADA] * 8)
    assert crowd.came == [ADA] * 6  # two places stay free

    await crowd.ask(CYD, CYD, CYD)

    assert crowd.came == [ADA] * 6 + [CYD] * 2
    await crowd.let_go(ADA)
    assert crowd.came == [ADA] * 6 + [CYD] * 3  # not ADA, although it asked before
    await crowd.let_go(ADA)
    await crowd.let_go(ADA)
    assert crowd.came[9:] == [ADA]  # three of eight, and its share is four
    await crowd.end()


async def test_a_workspace_with_many_tokens_leaves_a_place_to_others():
    crowd = Crowd(queue())

    await crowd.ask(*(Asker(workspace_id=1, token_id=number) for number in range(10, 20)), CYD)

    assert [asker.workspace_id for asker in crowd.came] == [1, 1, 1, 2]
    await crowd.end()


async def test_those_who_wait_are_served_workspace_by_workspace_and_token_by_token():
    crowd = Crowd(queue(places=1, per_token=1, per_workspace=1))
    await crowd.ask(ADA, ADA, ADA, BOB, BOB, CYD, CYD)

    while len(crowd.came) < 7:
        await crowd.let_go(crowd.came[-1])

    assert crowd.came == [ADA, ADA, CYD, BOB, CYD, ADA, BOB]
    await crowd.end()


async def test_a_queue_has_a_bound_and_an_end():
    of = queue(places=1, per_token=1, per_workspace=1, waiting_per_token=1, wait_seconds=0.05)
    until = asyncio.Event()
    holding = asyncio.create_task(hold(of, ADA, until))
    waiting = asyncio.create_task(hold(of, ADA, until))
    await asyncio.sleep(0)

    with pytest.raises(Overloaded, match="too many"):
        await hold(of, ADA, until)
    with pytest.raises(Overloaded, match="in time"):
        await waiting
    until.set()
    await holding
    await hold(of, ADA, until)


async def beginnings_in_rounds(of: Beginnings, *askers: Asker, work_seconds: float = 0) -> list[list[Asker]]:
    """Who began in each round of the event loop, in order."""
    rounds: list[list[Asker]] = [[]]

    async def begin(asker: Asker) -> None:
        await of.pass_through(asker)
        rounds[-1].append(asker)
        time.sleep(work_seconds)  # noqa: ASYNC251  # work that nothing interrupts

    tasks = [asyncio.create_task(begin(asker)) for asker in askers]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        rounds.append([])
    return [began for began in rounds if began]


async def test_long_pieces_of_work_begin_one_in_a_round_of_the_event_loop_and_token_by_token():
    of = Beginnings(round_seconds=0.001, alone_seconds=0.001, waiting_per_token=10, wait_seconds=5)

    rounds = await beginnings_in_rounds(of, ADA, ADA, ADA, ADA, CYD, work_seconds=0.002)

    assert rounds == [[ADA], [ADA], [CYD], [ADA], [ADA]]


async def test_short_pieces_of_work_begin_in_one_round():
    of = Beginnings(round_seconds=60, alone_seconds=60, waiting_per_token=10, wait_seconds=5)

    rounds = await beginnings_in_rounds(of, ADA, ADA, ADA, ADA, CYD)

    assert rounds == [[ADA, ADA, ADA, ADA, CYD]]


async def test_after_long_pieces_of_work_short_ones_soon_begin_together_again():
    of = Beginnings(round_seconds=0.01, alone_seconds=0.01, waiting_per_token=500, wait_seconds=5)
    long = asyncio.create_task(beginnings_in_rounds(of, ADA, work_seconds=0.02))
    await asyncio.sleep(0)

    rounds = await beginnings_in_rounds(of, *[CYD] * 200)

    assert (await long, sum(map(len, rounds))) == ([[ADA]], 200)
    assert len(rounds) < 50


async def test_a_token_that_is_alone_may_begin_for_longer(monkeypatch):
    monkeypatch.setattr(fair_queue, "_ALONE_AFTER_SECONDS", 0)
    of = Beginnings(round_seconds=0, alone_seconds=60, waiting_per_token=10, wait_seconds=5)

    assert await beginnings_in_rounds(of, ADA, ADA, ADA) == [[ADA, ADA, ADA]]
    assert await beginnings_in_rounds(of, ADA, CYD, CYD) == [[ADA], [CYD], [CYD]]


async def test_a_beginning_that_is_cancelled_holds_up_nobody():
    of = Beginnings(round_seconds=0, alone_seconds=0, waiting_per_token=10, wait_seconds=5)
    first, *others = [asyncio.create_task(of.pass_through(asker)) for asker in (ADA, ADA, ADA, CYD)]
    await asyncio.sleep(0)

    others[0].cancel()
    results = await asyncio.gather(first, *others, return_exceptions=True)

    assert [type(it) for it in results] == [type(None), asyncio.CancelledError, type(None), type(None)]


async def test_beginnings_wait_within_bounds():
    of = Beginnings(round_seconds=0, alone_seconds=0, waiting_per_token=1, wait_seconds=5)

    results = await asyncio.gather(*(of.pass_through(ADA) for _ in range(3)), return_exceptions=True)

    assert [type(it) for it in results] == [type(None), type(None), Overloaded]


async def test_the_process_own_work_never_waits():
    of = queue(places=1, per_token=1, per_workspace=1)
    until = asyncio.Event()
    holding = asyncio.create_task(hold(of, ADA, until))
    await asyncio.sleep(0)

    async with asyncio.timeout(1), of.place():
        pass

    until.set()
    await holding


async def test_no_place_is_lost_whoever_breaks_off():
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    of = queue(wait_seconds=0.02, waiting_per_token=5)
    held = {"all": 0, ADA: 0, BOB: 0, CYD: 0}

    async def visit(asker: Asker) -> None:
        with asking(asker):
            async with of.place():
                held["all"] += 1
                held[asker] += 1
                assert held["all"] <= 4, seed
                assert held[asker] <= 2, seed
                assert held[ADA] + held[BOB] <= 3, seed
                try:
                    await asyncio.sleep(chance.random() * 0.01)
                finally:
                    held["all"] -= 1
                    held[asker] -= 1

    tasks = []
    for _ in range(2_000):
        tasks.append(asyncio.create_task(visit(chance.choice([ADA, BOB, CYD]))))
        if chance.random() < 0.3:
            chance.choice(tasks).cancel()
        if chance.random() < 0.3:
            await asyncio.sleep(0.001)
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert {type(it) for it in results} <= {type(None), Overloaded, asyncio.CancelledError}, seed
    assert any(it is None for it in results)
    async with AsyncExitStack() as stack:
        for asker in (ADA, ADA, BOB, CYD):
            with asking(asker):
                await stack.enter_async_context(of.place())
