"""Measures the engine: it starts servers, loads the data once, measures and writes the report.

    python3 dev run benchmarks/engine --people 1000000 --events 20000000 --only a,b,g --keep-state DIR

Every size has its own database, which a kept state folder keeps for the next run. Each measurement is its own process, and its
figures are written as soon as it ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from audience_gql.embedded import ServerAddresses, Servers
from benchmarks.engine import environment, report, results
from benchmarks.engine.bench import Figure
from benchmarks.engine.generator import Size, add_size_options, size_of
from benchmarks.engine.measuring import MEASUREMENTS

_HERE = Path(__file__).parent
_DOCS = _HERE.parents[1] / "docs/benchmarks"
_GROWTH = "g"
_GROWN = "ab"
"""The measurements that are repeated at smaller sizes, for the growth."""
_SHARES = (0.1, 0.3)
_SETTINGS = {
    "effective_cache_size": "16GB",
    "maintenance_work_mem": "1GB",
    "max_wal_size": "32GB",
    "checkpoint_timeout": "30min",
    "wal_buffers": "64MB",
    "track_commit_timestamp": "on",
}
"""Settings of a dedicated server with the data in its memory. The demo's embedded server is smaller."""


def main() -> None:
    options = _options()
    with TemporaryDirectory() as folder, _servers(options, Path(folder)) as servers:
        for size in _sizes(options):
            url = asyncio.run(_loaded(servers.addresses, size))
            is_full = size.people == options.people
            for letter in options.only if is_full else _GROWN:
                _measure(options, servers.addresses, url, size, letter)


def _servers(options: argparse.Namespace, folder: Path) -> Servers:
    """Durable servers, because the measurements include the disk."""
    settings = {**_SETTINGS, "shared_buffers": options.shared_buffers}
    return Servers.start(options.keep_state or folder, settings=settings)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_size_options(parser)
    parser.add_argument("--only", type=_letters, default=[*MEASUREMENTS, _GROWTH], help="such as a,b,g")
    parser.add_argument(
        "--keep-state", type=Path, help="a folder for the databases, used again by the next run"
    )
    parser.add_argument(
        "--shared-buffers",
        default="12GB",
        help="shared_buffers of Postgres; choose more than the size of the data",
    )
    parser.add_argument("--output", type=Path, default=_DOCS, help="where the report goes")
    return _with_growth(parser.parse_args())


def _letters(text: str) -> list[str]:
    letters = text.split(",")
    if unknown := set(letters) - {*MEASUREMENTS, _GROWTH}:
        raise argparse.ArgumentTypeError(f"no such measurement: {', '.join(sorted(unknown))}")
    return letters


def _with_growth(options: argparse.Namespace) -> argparse.Namespace:
    """Growth is derived from other measurements, so it adds those at this size."""
    options.grows = _GROWTH in options.only
    wanted = {*options.only, *_GROWN} if options.grows else set(options.only)
    options.only = sorted(wanted - {_GROWTH})
    return options


def _sizes(options: argparse.Namespace) -> list[Size]:
    full = size_of(options)
    if not options.grows:
        return [full]
    smaller = [
        replace(full, people=int(full.people * share), events=int(full.events * share)) for share in _SHARES
    ]
    return [*smaller, full]


async def _loaded(addresses: ServerAddresses, size: Size) -> str:
    """The URL of this size's database, which is loaded if it is missing. It gets its name only when it is complete."""
    name = f"bench_{size.people}_{size.events}_{size.days}_{size.groups}_{size.segments}_{size.seed}"
    draft = f"{name}_loading"
    connection = await asyncpg.connect(addresses.database_url)
    try:
        if not await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name):
            await connection.execute(f"DROP DATABASE IF EXISTS {draft}")
            await connection.execute(f"CREATE DATABASE {draft}")
            start = time.perf_counter()
            await asyncio.to_thread(_load, _named(addresses.database_url, draft), size)
            print(f"loaded {size.people} people in {time.perf_counter() - start:.0f} s")
            await connection.execute(f"ALTER DATABASE {draft} RENAME TO {name}")
    finally:
        await connection.close()
    return _named(addresses.database_url, name)


def _load(url: str, size: Size) -> None:
    options = [
        word
        for name in ("people", "events", "days", "groups", "segments", "seed", "now")
        for word in (f"--{name}", str(getattr(size, name)))
    ]
    command = [sys.executable, str(_HERE / "generator.py"), *options]
    subprocess.run(command, env={**os.environ, "DATABASE_URL": url}, check=True)  # noqa: S603  # our own command


def _measure(
    options: argparse.Namespace, addresses: ServerAddresses, url: str, size: Size, letter: str
) -> None:
    """Run one measurement and put its figures into the report."""
    print(f"({letter}) at {size.people} people", flush=True)
    asyncio.run(_warm(url))
    with TemporaryDirectory() as folder:
        output = Path(folder) / "figures.json"
        command = [sys.executable, str(_HERE / "measuring.py"), letter, str(output)]
        variables = {**os.environ, "DATABASE_URL": url, "REDIS_URL": addresses.redis_url}
        subprocess.run(command, env=variables, check=True)  # noqa: S603  # our own command
        figures = [Figure(**figure) for figure in json.loads(output.read_text())]
    run = results.Run(
        people=size.people,
        events=size.events,
        measurement=letter,
        command=_command(options),
        measured_on=results.today(),
        environment=asyncio.run(environment.describe(url)),
        figures=figures,
    )
    report.write(options.output, results.keep(options.output / "engine.json", run))


def _command(options: argparse.Namespace) -> str:
    """The command that repeats this run. The reader chooses the state folder."""
    only = ",".join([*options.only, *([_GROWTH] if options.grows else [])])
    kept = " --keep-state DIR" if options.keep_state else ""
    words = {
        name: getattr(options, name) for name in ("people", "events", "days", "groups", "segments", "seed")
    }
    given = " ".join(f"--{name} {shlex.quote(str(value))}" for name, value in words.items())
    return f"python3 dev run benchmarks/engine {given} --only {only}{kept}"


async def _warm(url: str) -> None:
    """Read everything into the server's memory, so that the first measurement does not measure the disk."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
        await connection.execute(
            "SELECT sum(pg_prewarm(c.oid)) FROM pg_class c "
            "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'i')"
        )
    finally:
        await connection.close()


def _named(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


if __name__ == "__main__":
    main()
