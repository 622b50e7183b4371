"""Measures how fast a large file is imported, and how much memory the web process and the worker use meanwhile.

    . <state>/connection.env        # of a running `python3 dev up`
    python3 dev run benchmarks/imports.py --rows 1000000

It writes a file of made-up people, imports it as `audience-gql import` does, and observes the `serve` and `worker` processes of
this machine. It prints figures; it asserts only that every row became a person.
"""

from __future__ import annotations

import argparse
import os
import platform
import secrets
import threading
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from audience_gql.config import client_from_environment
from audience_gql.uploading import Wanted, column, import_file

HEADER = "id,Mail,Given name,Family name,Country,City\n"
MAP = [
    "id=externalId",
    "Mail=email",
    "Given name=firstName",
    "Family name=lastName",
    "Country=country",
    "City=city",
]
CITIES = ["Vilnius", "Berlin", "Kraków", "Paris", "New York", "São Paulo"]
COUNTRIES = ["LT", "DE", "PL", "FR", "US", "BR"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    client = client_from_environment(url=None, token=None)
    with TemporaryDirectory() as folder, Memory() as memory:
        file = Path(folder) / "people.csv"
        write(file, rows)
        start = time.perf_counter()
        sent: list[float] = []

        def advance(phase: str, part: float) -> None:
            if phase == "Sending" and part == 1:
                sent.append(time.perf_counter() - start)

        outcome = import_file(
            file=file, client=client, wanted=Wanted(columns=[column(text) for text in MAP]), advance=advance
        )
        seconds = time.perf_counter() - start
        assert (outcome.state, outcome.created, outcome.rejected) == ("DONE", rows, 0), outcome
        print(
            f"{rows} rows, {file.stat().st_size / 1e6:.0f} MB: sent in {sent[0]:.1f} s, written after {seconds:.0f} s, {rows / seconds:.0f} rows/s"
        )
    for name, found in memory.megabytes.items():
        quarter = max(1, len(found) // 4)
        print(
            f"memory of {name}: {min(found):.0f} to {max(found):.0f} MB; highest in the first quarter {max(found[:quarter]):.0f}, in the last {max(found[-quarter:]):.0f}"
        )
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, Postgres on the same machine"
    )


def write(file: Path, rows: int) -> None:
    run = secrets.token_hex(4)
    with file.open("w", encoding="utf-8") as out:
        out.write(HEADER)
        for n in range(rows):
            place = n % len(CITIES)
            out.write(
                f"{run}-{n},{run}-{n}@example.com,Given {n % 1000},Family {n % 7919},{COUNTRIES[place]},{CITIES[place]}\n"
            )


class Memory:
    """The memory of `serve` and `worker` processes, sampled twice a second."""

    def __init__(self) -> None:
        self.megabytes: dict[str, list[float]] = defaultdict(list)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.5):
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                    resident = next(
                        line
                        for line in (folder / "status").read_text().splitlines()
                        if line.startswith("VmRSS")
                    )
                except (OSError, StopIteration):
                    continue
                for name in ("serve", "worker"):
                    if b"audience_gql.cli" in words and name.encode() in words:
                        self.megabytes[name].append(int(resident.split()[1]) / 1024)


if __name__ == "__main__":
    main()
