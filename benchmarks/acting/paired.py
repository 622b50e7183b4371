"""The cost of a change without automations, compared with another checkout. Both take turns, each with its own servers and worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from benchmarks.acting.house import Round

ROOT: Final = Path(__file__).parents[2]
TARGET: Final = 1.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The rounds of both checkouts, in pairs."""

    against: str
    """The commit of the other checkout."""
    pairs: Sequence[tuple[Round, Round]]

    def rows(self) -> list[tuple[str, float, float, float, float, float]]:
        """What; the medians before and now; the median of the pairs' ratios, with its lower and upper quartile."""
        read: dict[str, Callable[[Round], float]] = {
            "CPU of the worker and Postgres, ms per change": lambda it: it.cpu_ms,
            "of it Postgres, ms per change": lambda it: it.postgres_ms,
            "from commit to change, median, ms": lambda it: it.latency_ms,
        }
        return [(what, *self._figures(value)) for what, value in read.items()]

    def _figures(self, value: Callable[[Round], float]) -> tuple[float, float, float, float, float]:
        ratios = [value(now) / value(before) for before, now in self.pairs]
        low, middle, high = quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        return (
            median(value(before) for before, _ in self.pairs),
            median(value(now) for _, now in self.pairs),
            middle,
            low,
            high,
        )


def compare(against: Path, *, rounds: int, changes: int, rate: float) -> Comparison:
    """Measure both checkouts. The one that begins a pair alternates, and the first pair warms up."""
    arguments = ["--rounds", str(rounds + 1), "--changes", str(changes), "--rate", str(rate)]
    pairs = []
    with _subject(against, arguments) as before, _subject(ROOT, arguments) as now:
        for number in range(rounds + 1):
            if number % 2:
                pair = (before(), now())
            else:
                later = now()
                pair = (before(), later)
            print(f"pair {number}: {pair[0].cpu_ms:.2f} and {pair[1].cpu_ms:.2f} ms per change", flush=True)
            pairs.append(pair)
    return Comparison(against=_commit(against), pairs=pairs[1:])


@contextmanager
def _subject(checkout: Path, arguments: Sequence[str]) -> Iterator[Callable[[], Round]]:
    """A process of one checkout. Calling the yielded function runs a round."""
    process = subprocess.Popen(  # noqa: S603  # a module of this package
        [sys.executable, "-m", "benchmarks.acting.subject", *arguments],
        env=os.environ | {"PYTHONPATH": f"{checkout / 'src'}{os.pathsep}{ROOT}"},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    asked, answers = process.stdin, process.stdout

    def answer() -> dict[str, object]:
        line = answers.readline()
        assert line, f"the process of {checkout} has ended"
        answered: dict[str, object] = json.loads(line)
        return answered

    def run() -> Round:
        asked.write("\n")
        asked.flush()
        return Round(**answer())  # type: ignore[arg-type]  # the process of this package wrote it with asdict

    try:
        source = Path(str(answer()["source"]))
        assert source.is_relative_to(checkout), source
        yield run
    finally:
        asked.close()
        process.wait()


def _commit(checkout: Path) -> str:
    said = subprocess.run(  # noqa: S603  # git alone
        ["git", "-C", checkout, "rev-parse", "--short=7", "HEAD"],  # noqa: S607  # git from the PATH
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() or "another checkout"
