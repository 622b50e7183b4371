"""Jobs on their way to the worker: put into the queue, and told of."""

from __future__ import annotations

import asyncio

from audience_gql.messaging.connections import QUEUE, for_jobs
from audience_gql.messaging.jobs import FILL, ArqJobs
from audience_gql.messaging.signals import RedisSignals


async def test_who_waits_for_jobs_hears_of_one_once_it_is_in_the_queue(redis_url):
    signals, jobs = RedisSignals(redis_url), ArqJobs(redis_url)
    pool = for_jobs(redis_url)
    await pool.delete(QUEUE)
    async with signals.jobs() as wakeups:
        await wakeups.wait(2)  # the first one only says: look for yourself
        wakeups._is_woken.clear()

        jobs.fill(7)
        async with asyncio.timeout(10):
            await wakeups._is_woken.wait()

        assert [(job.function, job.args) for job in await pool.queued_jobs(queue_name=QUEUE)] == [(FILL, [7])]
    await jobs.close()
    await signals.close()
    await pool.delete(QUEUE)
    await pool.aclose(close_connection_pool=True)
