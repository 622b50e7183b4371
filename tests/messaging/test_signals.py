"""One suite for every carrier of signals: what a listener may rely on."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from audience_gql.audience.testing import MemorySignals
from audience_gql.messaging.signals import RedisSignals, prefix
from tests.patience import PATIENCE_SECONDS


@pytest_asyncio.fixture(params=["memory", "redis"], loop_scope="session")
async def signals(request, redis_url):
    carrier = MemorySignals() if request.param == "memory" else RedisSignals(redis_url)
    yield carrier
    await carrier.close()


async def settled(wakeups) -> None:
    """Past the first wake-up, which only says: look for yourself."""
    await wakeups.wait(PATIENCE_SECONDS)
    while await wakeups.wait(0.05):
        continue


async def test_a_listener_is_told_which_buckets_have_marks(signals):
    async with signals.marks() as wakeups:
        await settled(wakeups)

        signals.marked([3, 4])

        assert await wakeups.wait(PATIENCE_SECONDS) == {3, 4}


async def test_a_listener_is_told_of_its_workspace_only(signals):
    async with signals.changes(1) as first, signals.changes(2) as second:
        await settled(first)
        await settled(second)

        signals.changed([1])

        assert await first.wait(PATIENCE_SECONDS) == {1}
        assert await second.wait(0.1) == frozenset()


async def test_all_listeners_of_a_topic_are_told(signals):
    async with signals.changes(1) as first, signals.changes(1) as second:
        await settled(first)
        await settled(second)

        signals.changed([1])

        assert [*await asyncio.gather(first.wait(PATIENCE_SECONDS), second.wait(PATIENCE_SECONDS))] == [
            {1},
            {1},
        ]


async def test_waiting_ends_with_the_timeout(signals):
    async with signals.marks() as wakeups:
        await settled(wakeups)

        assert await wakeups.wait(0.05) == frozenset()


async def test_what_comes_while_nobody_waits_is_kept(signals):
    async with signals.marks() as wakeups:
        await settled(wakeups)
        signals.marked([1])
        signals.marked([2])
        await asyncio.sleep(0.1)

        kept = await wakeups.wait(PATIENCE_SECONDS)
        if kept != {1, 2}:  # on a busy machine, the second is on its way
            kept |= await wakeups.wait(PATIENCE_SECONDS)
        assert kept == {1, 2}


async def test_a_listener_that_comes_later_is_told_too(signals):
    async with signals.changes(1) as first:
        await settled(first)
    async with signals.changes(1) as again, signals.changes(5) as other:
        await settled(again)
        await settled(other)

        signals.changed([5])

        assert await other.wait(PATIENCE_SECONDS) == {5}


async def test_sending_to_an_unreachable_server_neither_waits_nor_fails(unused_tcp_port):
    signals = RedisSignals(f"redis://127.0.0.1:{unused_tcp_port}/0")

    signals.marked([1])
    async with signals.marks() as wakeups:
        assert await wakeups.wait(0.1) == frozenset()

    assert not await signals.is_reachable()
    await signals.close()


TORN_DOWN = [
    AttributeError("'NoneType' object has no attribute 'writelines'"),
    RuntimeError("unable to perform operation on a transport; the handler is closed"),
    ConnectionResetError(),
]


@pytest.mark.parametrize("error", TORN_DOWN, ids=lambda error: type(error).__name__)
async def test_whoever_stops_listening_on_a_connection_that_is_being_torn_down_is_spared_it(
    redis_url, monkeypatch, error
):
    """As the client behaves when the server is killed: seen in a storm, where it ended the workers."""

    async def torn_down(*_) -> None:
        raise error

    signals = RedisSignals(redis_url)
    async with signals.marks() as kept:
        await settled(kept)
        monkeypatch.setattr(PubSub, "unsubscribe", torn_down)
        async with signals.changes(1):
            pass
        monkeypatch.undo()

        signals.marked([3])
        assert await kept.wait(PATIENCE_SECONDS) == {3}
    await signals.close()


@pytest.mark.parametrize("error", TORN_DOWN, ids=lambda error: type(error).__name__)
async def test_listening_goes_on_after_a_connection_was_torn_down(redis_url, monkeypatch, error):
    honest, failures = PubSub.get_message, iter([error])

    async def get_message(pubsub, **named):
        failure = next(failures, None)
        if failure is not None:
            raise failure
        return await honest(pubsub, **named)

    monkeypatch.setattr(PubSub, "get_message", get_message)
    signals = RedisSignals(redis_url)
    async with signals.marks() as wakeups:
        await settled(wakeups)
        signals.marked([3])
        assert await wakeups.wait(PATIENCE_SECONDS) == {3}
    await signals.close()


async def test_a_message_that_is_not_ours_is_passed_over(redis_url):
    signals, stranger = RedisSignals(redis_url), Redis.from_url(redis_url)
    async with signals.marks() as wakeups:
        await settled(wakeups)

        await stranger.publish(f"{prefix(stranger)}:marks", b"3 \xff")
        signals.marked([4])

        assert await wakeups.wait(PATIENCE_SECONDS) == {4}
    await stranger.aclose()
    await signals.close()
