"""What a change costs the worker and its Postgres backends, with different numbers of automations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from audience_gql.audience.ports import Ports
from benchmarks.acting.automated import act_on_each, watch_others
from benchmarks.acting.house import House, Round, run_round
from benchmarks.engine.observed import ObservedWorker

MANY: Final = 100
_SLOWER: Final = 10
"""People enter many segments this many times more slowly, so that every change is a tick of its own there, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    segments: int
    idle: int = 0
    """Automations that watch lists that do not change."""
    is_acting: bool = False

    @property
    def words(self) -> str:
        if self.is_acting:
            return (
                "1, which watches this segment"
                if self.segments == 1
                else f"{self.segments}, one for each segment"
            )
        if self.idle:
            return f"{self.idle}, which watch{'es a list that does' if self.idle == 1 else ' lists that do'} not change"
        return "none"

    @property
    def runs(self) -> int:
        return self.segments if self.is_acting else 0


KINDS: Final = (
    Kind(segments=1),
    Kind(segments=1, idle=1),
    Kind(segments=1, idle=MANY),
    Kind(segments=1, is_acting=True),
    Kind(segments=MANY),
    Kind(segments=MANY, is_acting=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Medians over the rounds."""

    kind: Kind
    cpu_ms: float
    postgres_ms: float
    latency_ms: float


async def measure(
    ports: Ports, worker: ObservedWorker, *, rounds: int, changes: int, rate: float
) -> list[Cost]:
    """All kinds take turns. Each has a workspace of its own. The first round warms up."""
    houses = [(kind, await _house(ports, kind, (rounds + 1) * changes)) for kind in KINDS]
    measured: dict[Kind, list[Round]] = {kind: [] for kind in KINDS}
    for number in range(rounds + 1):
        for kind, house in houses:
            slower = _SLOWER if kind.segments > 1 else 1
            result = await run_round(house, worker, changes=max(1, changes // slower), rate=rate / slower)
            print(
                f"round {number}, segments: {kind.segments}, automations: {kind.words}: {result.cpu_ms:.2f} ms per change",
                flush=True,
            )
            if number:
                measured[kind].append(result)
    return [_cost(kind, results) for kind, results in measured.items()]


async def _house(ports: Ports, kind: Kind, people: int) -> House:
    house = await House.built(ports, f"{kind.segments}, {kind.words}", segments=kind.segments, people=people)
    if kind.idle:
        await watch_others(house, kind.idle)
    if kind.is_acting:
        await act_on_each(house)
    return house


def _cost(kind: Kind, rounds: Sequence[Round]) -> Cost:
    return Cost(
        kind=kind,
        cpu_ms=median(it.cpu_ms for it in rounds),
        postgres_ms=median(it.postgres_ms for it in rounds),
        latency_ms=median(it.latency_ms for it in rounds),
    )
