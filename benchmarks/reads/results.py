"""What was measured, where and how: everything that the report and the picture show, and the raw figures as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one server did in one round of one question. Microseconds are of processor time for one request."""

    per_second: float
    server_us: float
    postgres_us: float
    client_us: float
    client_share: float
    """How busy the client was, as a share of one core."""
    bytes_each: float
    p50_ms: float
    p99_ms: float

    @property
    def cpu_us(self) -> float:
        """Of the server and Postgres together."""
        return self.server_us + self.postgres_us


def middle(rounds: Sequence[Round]) -> Round:
    """The median of each figure by itself."""
    return Round(
        **{name: median(getattr(one, name) for one in rounds) for name in Round.__dataclass_fields__}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question and, by server, its rounds. The first server is ours."""

    key: str
    about: str
    rounds: Mapping[str, Sequence[Round]]

    @property
    def middles(self) -> dict[str, Round]:
        return {server: middle(rounds) for server, rounds in self.rounds.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One run of the benchmark."""

    command: str
    measured_on: str
    seconds: float
    connections: int
    round_seconds: float
    pool_size: int
    environment: Mapping[str, str]
    asked: Sequence[Asked]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"
