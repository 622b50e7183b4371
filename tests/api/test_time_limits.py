"""Time limits that share a timer: each block is stopped at its own time, and nothing else is mistaken for its end."""

from __future__ import annotations

import asyncio

import pytest

from audience_gql.api.operations.time_limits import TimeLimit, TookTooLong


async def test_a_block_is_stopped_when_its_time_is_over():
    limit = TimeLimit(0.01)

    with pytest.raises(TookTooLong), limit.running():
        await asyncio.sleep(5)

    await asyncio.sleep(0)  # the task goes on, and can be stopped again
    with pytest.raises(TookTooLong), limit.running():
        await asyncio.sleep(5)


async def test_a_block_that_ends_in_time_is_left_alone():
    limit = TimeLimit(0.02)

    with limit.running():
        await asyncio.sleep(0)

    await asyncio.sleep(0.05)


async def test_blocks_are_stopped_in_turn_whoever_ends_before():
    limit = TimeLimit(0.1)
    stopped: list[int] = []

    async def run(number: int, seconds: float) -> None:
        try:
            with limit.running():
                await asyncio.sleep(seconds)
        except TookTooLong:
            stopped.append(number)

    tasks = []
    for number in range(6):
        tasks.append(asyncio.create_task(run(number, 0 if number % 2 else 5)))
        await asyncio.sleep(0.02)
    await asyncio.gather(*tasks)

    assert stopped == [0, 2, 4]


async def test_a_cancellation_from_elsewhere_stays_one():
    limit = TimeLimit(5)

    async def run() -> None:
        with limit.running():
            await asyncio.sleep(5)

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_block_s_own_error_stays_one():
    with pytest.raises(TimeoutError), TimeLimit(5).running():
        raise TimeoutError


async def test_the_outer_limit_is_not_the_inner_one_s():
    outer, inner = TimeLimit(0.01), TimeLimit(5)

    async def run() -> str:
        try:
            with outer.running():
                try:
                    with inner.running():
                        await asyncio.sleep(5)
                except TookTooLong:
                    return "inner"
        except TookTooLong:
            return "outer"
        return "none"

    assert await run() == "outer"
