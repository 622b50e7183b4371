"""How soon after somebody enters a segment an automation has acted, and how many changes a second it keeps up with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from audience_gql.audience.ports import Ports
from benchmarks.acting.automated import act_and_tell
from benchmarks.acting.house import PATIENCE_SECONDS, House
from benchmarks.acting.receiver import Receiver
from benchmarks.engine.observed import share_at
from benchmarks.engine.watched import Watch, watching


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """Milliseconds after the change that started the automation, for each change."""

    acted: Sequence[float]
    told: Sequence[float]

    def rows(self) -> list[tuple[str, float, float, float]]:
        """What, with p50, p99 and the longest."""
        named = {"the internal action": self.acted, "the first attempt of the webhook": self.told}
        return [(what, share_at(ms, 0.5), share_at(ms, 0.99), max(ms)) for what, ms in named.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Of a crowd that enters at once."""

    runs_per_second: float
    told_per_second: float


async def measure(
    ports: Ports, receiver: Receiver, *, rate: int, seconds: int, crowd: int
) -> tuple[Latencies, Throughput]:
    """People enter one by one, then a crowd enters at once. Everybody is acted on and told exactly once."""
    steady = rate * seconds
    house = await House.built(ports, "Acting", segments=1, people=steady + crowd)
    await act_and_tell(house, receiver)
    lists = [*house.segments, *house.targets]
    async with watching(ports, house.workspace.id, await house.bucket_ids(), lists) as watch:
        begun = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number in range(steady):
                await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
                tasks.create_task(house.enter())
        await _until_told(watch, receiver, steady)
        latencies = Latencies(acted=_acted(watch, house), told=list(receiver.late))

        begun = time.perf_counter()
        await house.enter(crowd)
        await watch.until(lambda: watch.count == 2 * house.entered, seconds=PATIENCE_SECONDS)
        acted_seconds = time.perf_counter() - begun
        await _until_told(watch, receiver, house.entered)
        told_seconds = time.perf_counter() - begun
    assert set(receiver.told.values()) == {1}, "somebody was told more than once"
    return latencies, Throughput(runs_per_second=crowd / acted_seconds, told_per_second=crowd / told_seconds)


async def _until_told(watch: Watch, receiver: Receiver, people: int) -> None:
    is_whole = await watch.until(
        lambda: watch.count == 2 * people and len(receiver.told) == people, seconds=PATIENCE_SECONDS
    )
    assert is_whole, f"{watch.count} changes are in the log, {len(receiver.told)} of {people} people are told"


def _acted(watch: Watch, house: House) -> list[float]:
    """Milliseconds from entering the segment to entering the group, as the log says."""
    (segment,), (group,) = house.segments, house.targets
    entered = {
        person: seen.occurred_at for (list_id, person, _), seen in watch.seen.items() if list_id == segment
    }
    return [
        1000 * (seen.occurred_at - entered[person]).total_seconds()
        for (list_id, person, _), seen in watch.seen.items()
        if list_id == group
    ]
