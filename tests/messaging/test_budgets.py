"""A token's budget is one for all processes, as far as Redis answers, and one for each process without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from itertools import count

import pytest

from audience_gql.audience.budgets import LEAST_CREDIT, Budgets, OutOfPoints
from audience_gql.audience.ports import LedgerAway
from audience_gql.messaging.point_ledger import RedisLedger
from tests.faults.proxy import before
from tests.patience import PATIENCE_SECONDS

MOST = 20_000
PER_SECOND = 1_000
_tokens = count(1_000_000)


class Clock:
    """Seconds that pass only on request."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@asynccontextmanager
async def process(redis_url: str, clock: Clock) -> AsyncIterator[Budgets]:
    """The budgets of one web process."""
    async with aclosing(RedisLedger(redis_url, clock)) as ledger:
        budgets = Budgets(most=MOST, per_second=PER_SECOND, ledger=ledger, now=clock)
        yield budgets
        await budgets.close()


async def spend_all(budgets: Budgets, token_id: int, each: int) -> int:
    """Spend until the budget refuses. Returns how much was spent."""
    spent = 0
    try:
        while True:
            await budgets.spend(token_id, each)
            spent += each
    except OutOfPoints:
        return spent


async def test_two_processes_share_a_budget(redis_url):
    clock, token_id = Clock(), next(_tokens)
    async with process(redis_url, clock) as one, process(redis_url, clock) as other:
        assert await one.spend(token_id, 12_000) == 8_000
        await one.settle()
        assert await other.spend(token_id, 3_000) == 17_000, "the credit of a process that has not asked yet"
        await other.settle()

        assert await other.spend(token_id, 1_000) == 4_000
        with pytest.raises(OutOfPoints) as refused:
            await other.spend(token_id, 4_001)

        assert refused.value.remaining == 4_000
        assert refused.value.retry_after_seconds == 1
        assert str(refused.value) == (
            "The operation costs 4,001 points, and the token has 4,000 left. It gets 1,000 a second, up to 20,000. "
            "Nothing was changed. Try again in 1 s."
        )
        clock.seconds += 2.5
        assert await other.spend(token_id, 4_001) == 2_499


@pytest.mark.parametrize("each", [7, 900, 5_000])
async def test_the_sum_is_bounded_however_processes_race(redis_url, each):
    """Together at most a full budget, what it gets, and once the credit of each process: what was spent too much is taken from what it gets."""
    clock, token_id = Clock(), next(_tokens)
    async with process(redis_url, clock) as one, process(redis_url, clock) as other:
        spent = sum(await asyncio.gather(*(spend_all(it, token_id, each) for it in (one, other, one, other))))
        assert MOST - each < spent <= MOST + 2 * LEAST_CREDIT

        for _ in range(5):
            clock.seconds += 8
            spent += sum(await asyncio.gather(*(spend_all(it, token_id, each) for it in (one, other))))
            assert spent <= MOST + (clock.seconds - 1_000) * PER_SECOND + 2 * LEAST_CREDIT


async def test_budgets_do_not_mix(redis_url):
    clock = Clock()
    greedy, modest = next(_tokens), next(_tokens)
    async with process(redis_url, clock) as one, process(redis_url, clock) as other:
        await spend_all(one, greedy, 500)
        await one.settle()

        assert await other.spend(modest, 5) == MOST - 5


async def test_the_ledger_has_a_clock_of_its_own(redis_url):
    token_id = next(_tokens)
    async with aclosing(RedisLedger(redis_url)) as ledger:
        first = await ledger.settle({token_id: 500}, most=1_000, per_second=10_000)
        await asyncio.sleep(0.1)
        second = await ledger.settle({token_id: 300}, most=1_000, per_second=10_000)

    assert first == {token_id: 500.0}
    assert second == {token_id: 700.0}, "full again after 0.05 s"


async def test_without_redis_each_process_has_a_budget_of_its_own():
    clock, token_id = Clock(), next(_tokens)
    nowhere = "redis://127.0.0.1:1/0"
    async with process(nowhere, clock) as one, process(nowhere, clock) as other:
        assert await spend_all(one, token_id, 100) == MOST
        assert await spend_all(other, token_id, 100) == MOST
        clock.seconds += 3
        assert await spend_all(one, token_id, 100) == 3 * PER_SECOND


class Silent:
    """A ledger that answers nobody until it may."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()

    async def settle(self, spent: Mapping[int, int], *, most: int, **_: int) -> dict[int, float]:
        await self.may_answer.wait()
        return dict.fromkeys(spent, float(most))


async def test_no_operation_needs_an_answer_of_the_ledger():
    ledger, token_id = Silent(), next(_tokens)
    budgets = Budgets(most=MOST, per_second=PER_SECOND, ledger=ledger, now=Clock())

    async with asyncio.timeout(PATIENCE_SECONDS):  # otherwise it would wait for ever
        assert await spend_all(budgets, token_id, 4_000) == MOST

    ledger.may_answer.set()
    await budgets.close()


async def test_no_operation_fails_because_of_a_redis_that_vanishes(redis_url):
    clock, token_id = Clock(), next(_tokens)
    async with before(redis_url) as proxy, process(proxy.address, clock) as budgets:
        assert await budgets.spend(token_id, 4_000) == 16_000
        await budgets.settle()

        proxy.vanish()
        spent = await spend_all(budgets, token_id, 4_000)

        assert spent == 16_000
        async with aclosing(RedisLedger(proxy.address)) as ledger:
            with pytest.raises(LedgerAway):
                await ledger.settle({token_id: 0}, most=MOST, per_second=PER_SECOND)

        proxy.come_back()
        later = next(_tokens)
        async with aclosing(RedisLedger(proxy.address, clock)) as ledger, asyncio.timeout(PATIENCE_SECONDS):
            known = {later: float(MOST)}
            while known == {later: MOST}:
                await budgets.spend(later, 1)
                await asyncio.sleep(0.1)
                known = await ledger.settle({later: 0}, most=MOST, per_second=PER_SECOND)


async def test_zero_points_limit_nothing():
    budgets = Budgets(most=0, per_second=1)

    for _ in range(10):
        assert await budgets.spend(1, 10**9) == 0
