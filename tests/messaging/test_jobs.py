"""Jobs on their way to the worker: put into the queue, and told of."""

from __future__ import annotations

import asyncio

from audience_gql.messaging.connections import QUEUE, for_jobs
from audience_gql.messaging.jobs import CLEAR, ArqJobs
from audience_gql.messaging.signals import RedisSignals
from tests.patience import PATIENCE_SECONDS


async def test_who_waits_for_jobs_hears_of_one_once_it_is_in_the_queue(redis_url):
    signals, jobs = RedisSignals(redis_url), ArqJobs(redis_url)
    pool = for_jobs(redis_url)
    await pool.delete(QUEUE)
    async with signals.jobs() as wakeups:
        await wakeups.wait(2)  # the first one only says: look for yourself
        wakeups._is_woken.clear()

        jobs.clear(7)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await wakeups._is_woken.wait()

        queued = await pool.queued_jobs(queue_name=QUEUE)
        assert [(job.function, [*job.args]) for job in queued] == [(CLEAR, [7])]
    await jobs.close()
    await signals.close()
    await pool.delete(QUEUE)
    await pool.aclose(close_connection_pool=True)


async def test_who_works_off_fills_hears_of_them_and_nothing_is_put_into_the_queue_of_jobs(redis_url):
    signals, jobs = RedisSignals(redis_url), ArqJobs(redis_url)
    pool = for_jobs(redis_url)
    await pool.delete(QUEUE)  # other tests may have left jobs
    async with signals.fills() as wakeups:
        await wakeups.wait(2)  # the first one only says: look for yourself
        wakeups._is_woken.clear()

        for _ in range(3):
            jobs.fill(range(1_000))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await wakeups._is_woken.wait()

        assert await pool.queued_jobs(queue_name=QUEUE) == []
    await jobs.close()
    await signals.close()
    await pool.aclose(close_connection_pool=True)
