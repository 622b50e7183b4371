"""What is told once reaches all who listen, in order; nobody waits for who does not take it, and nobody is skipped unknowingly."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable
from contextlib import suppress

import pytest

from audience_gql.audience.log.broadcast import Broadcast, LeftBehind
from audience_gql.audience.log.broadcasts import Broadcasts


async def test_readers_get_all_that_comes_after_they_joined():
    broadcast = Broadcast("start", most=10)
    early = broadcast.join()
    await broadcast.publish("one", 1)
    late = broadcast.join()
    last = broadcast.last
    await broadcast.publish("two", 1)

    assert [await early.next(), await early.next()] == ["one", "two"]
    assert (last, await late.next()) == ("one", "two")


async def test_a_reader_who_waits_is_woken():
    broadcast = Broadcast("start", most=10)
    reader = broadcast.join()
    waiting = asyncio.create_task(reader.next())
    await asyncio.sleep(0)

    await broadcast.publish("one", 1)

    assert await waiting == "one"


async def test_the_writer_waits_for_a_reader_who_is_coming():
    broadcast = Broadcast(0, most=2)
    reader = broadcast.join()
    for number in (1, 2):
        await broadcast.publish(number, 1)
    telling = asyncio.create_task(broadcast.publish(3, 1))
    await asyncio.sleep(0)
    assert not telling.done()

    taken = [await reader.next() for _ in range(2)]
    await telling

    assert [*taken, await reader.next()] == [1, 2, 3]


async def test_nobody_waits_for_a_reader_who_is_away():
    broadcast = Broadcast(0, most=2)
    slow, quick = broadcast.join(), broadcast.join()
    slow.is_away = True
    for number in range(1, 6):
        await broadcast.publish(number, 1)
        assert await quick.next() == number

    slow.is_away = False

    with pytest.raises(LeftBehind):
        await slow.next()


async def test_a_reader_who_leaves_is_not_waited_for():
    broadcast = Broadcast(0, most=1)
    reader = broadcast.join()
    await broadcast.publish(1, 1)
    telling = asyncio.create_task(broadcast.publish(2, 1))
    await asyncio.sleep(0)

    reader.leave()

    await asyncio.wait_for(telling, 1)


async def test_what_is_heavier_than_all_there_is_room_for_is_told_alone():
    broadcast = Broadcast(0, most=2)
    reader = broadcast.join()
    await broadcast.publish(1, 100)

    assert await reader.next() == 1


async def test_a_failure_comes_after_what_was_told():
    broadcast = Broadcast(0, most=2)
    reader = broadcast.join()
    await broadcast.publish(1, 1)
    broadcast.fail(ValueError("broken"))

    assert await reader.next() == 1
    with pytest.raises(ValueError, match="broken"):
        await reader.next()


def into(taken: list[int], *, most: int = sys.maxsize) -> Callable[[int], bool]:
    """Takes items until the list is so long. It returns whether it took the item."""

    def take(item: int) -> bool:
        if len(taken) >= most:
            return False
        taken.append(item)
        return True

    return take


async def test_who_listens_is_called_as_it_is_told():
    broadcast = Broadcast(0, most=10)
    reader = broadcast.join()
    taken: list[int] = []
    await broadcast.publish(1, 1)
    listening = asyncio.create_task(reader.listen(into(taken)))
    await asyncio.sleep(0)

    await broadcast.publish(2, 1)
    await broadcast.publish(3, 1)

    assert taken == [1, 2, 3]
    assert not listening.done()
    listening.cancel()


async def test_what_a_listener_does_not_take_comes_next():
    broadcast = Broadcast(0, most=10)
    reader, taken = broadcast.join(), []

    def take(item: int) -> bool:
        taken.append(item)
        return item != 2

    listening = asyncio.create_task(reader.listen(take))
    await asyncio.sleep(0)
    for number in (1, 2, 3):
        await broadcast.publish(number, 1)
    await asyncio.wait_for(listening, 1)

    assert taken == [1, 2]
    assert [await reader.next(), await reader.next()] == [2, 3]


async def test_a_failure_ends_the_listening():
    broadcast = Broadcast(0, most=10)
    reader = broadcast.join()
    listening = asyncio.create_task(reader.listen(lambda _: True))
    await asyncio.sleep(0)

    broadcast.fail(ValueError("broken"))

    await asyncio.wait_for(listening, 1)
    with pytest.raises(ValueError, match="broken"):
        await reader.next()


async def test_many_who_listen_do_not_keep_others_from_their_turn():
    broadcast, turns = Broadcast(0, most=10), []
    listening = [asyncio.create_task(broadcast.join().listen(lambda _: True)) for _ in range(600)]
    await asyncio.sleep(0)
    telling = asyncio.create_task(broadcast.publish(1, 1))
    while not telling.done():
        turns.append(1)
        await asyncio.sleep(0)

    assert len(turns) > 2
    for task in listening:
        task.cancel()


async def test_any_number_of_readers_at_any_pace_miss_nothing():
    chance = random.Random(3)
    broadcast = Broadcast(0, most=5)

    async def read() -> list[int]:
        for _ in range(chance.randrange(20)):
            await asyncio.sleep(0)
        start, reader = broadcast.last, broadcast.join()
        heard: list[int] = []
        while broadcast.last < 100 or not heard or heard[-1] < 100:
            if chance.random() < 0.5:
                hear = into(heard, most=len(heard) + chance.randrange(1, 8))
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await reader.listen(hear)
            else:
                heard.append(await reader.next())
            if chance.random() < 0.3:
                await asyncio.sleep(0)
        reader.leave()
        return [start, *heard]

    async def write() -> None:
        for number in range(1, 101):
            await broadcast.publish(number, chance.randrange(1, 4))
            if chance.random() < 0.5:
                await asyncio.sleep(0)

    readers = [asyncio.create_task(read()) for _ in range(20)]
    await asyncio.sleep(0)
    await write()

    for heard in await asyncio.wait_for(asyncio.gather(*readers), 5):
        assert heard == list(range(heard[0], 101))


async def test_a_broadcast_goes_on_while_somebody_listens():
    began, ended = [], []

    async def items():
        began.append(1)
        try:
            yield "start", 0
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    broadcasts: Broadcasts[str] = Broadcasts(most=10)
    async with broadcasts.of("key", items) as one, broadcasts.of("key", items) as two:
        assert one is two
    assert (began, ended) == ([1], [1])

    async with broadcasts.of("key", items):
        assert began == [1, 1]


async def test_after_a_failure_the_next_who_asks_starts_anew():
    began = []

    async def items():
        began.append(1)
        yield len(began), 0
        if len(began) == 1:
            raise ValueError("broken")
        await asyncio.Event().wait()

    broadcasts: Broadcasts[int] = Broadcasts(most=10)
    async with broadcasts.of("key", items) as broken:
        with pytest.raises(ValueError, match="broken"):
            await broken.join().next()
        async with broadcasts.of("key", items) as fresh:
            assert fresh.last == 2
