"""Measures how fast a large list is exported and downloaded, and how much memory the web process and the worker use meanwhile.

    python3 dev run benchmarks/exports.py --members 1000000

It starts servers and processes of its own, inserts people and one group by SQL, exports the group while it downloads the file, and
downloads the file again. It prints figures; it asserts only that every member is in the file.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any, Final

import asyncpg

from audience_gql.client import ask
from audience_gql.config import Client
from audience_gql.embedded import Servers

BUCKET_PEOPLE: Final = 100_000
FIELDS: Final = ["id", "externalId", "email", "enteredAt"]
MAKE: Final = """
WITH p AS (
  INSERT INTO subscribers (bucket_id, id, external_id, external_id_folded, email, email_folded, created_at, updated_at)
  SELECT $1, n * 7919, 'customer-' || n, 'customer-' || n, 'customer-' || n || '@example.com', 'customer-' || n || '@example.com', now(), now()
  FROM generate_series($3::bigint + 1, $3::bigint + $4::bigint) AS n RETURNING id)
INSERT INTO group_members (bucket_id, group_id, subscriber_id, added_at) SELECT $1, $2, p.id, now() FROM p
"""
EXPORT: Final = """mutation ($list: ID!, $fields: [String!]) {
  exportList(input: {list: {groupId: $list}, format: CSV, fields: $fields}) { ... on ExportListPayload { downloadUrl export { id } } }
}"""
STATE: Final = "query ($id: ID!) { export(id: $id) { state rows bytes } }"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=1_000_000)
    members = parser.parse_args().members
    with TemporaryDirectory() as folder, Servers.throwaway() as servers:
        addresses = servers.addresses
        environment = {
            **os.environ,
            "DATABASE_URL": addresses.database_url,
            "REDIS_URL": addresses.redis_url,
            "AUDIENCE_SECRET_KEY": "benchmark",
        }
        _run(environment, "migrate")
        token = _run(
            environment,
            "token",
            "create",
            "--workspace",
            "benchmark",
            "--name",
            "benchmark",
            "--scope",
            "ADMIN",
        ).split()[-1]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        log = (Path(folder) / "log").open("wb")
        started = [
            subprocess.Popen([*_program(), *words], env=environment, stdout=log, stderr=log)  # noqa: S603  # our own program
            for words in (["serve", "--port", str(port)], ["worker"])
        ]
        try:
            measure(
                Client(url=f"http://127.0.0.1:{port}/graphql", token=token),
                addresses.database_url,
                members,
                started,
            )
        finally:
            for process in started:
                process.send_signal(signal.SIGTERM)
            for process in started:
                process.wait()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, Postgres on the same machine"
    )


def measure(
    client: Client, database_url: str, members: int, processes: list[subprocess.Popen[bytes]]
) -> None:
    _until_it_answers(client)
    made = _ask(client, 'mutation { createGroup(input: {name: "Everybody"}) { ... on Group { id } } }')
    group_id = made["createGroup"]["id"]
    asyncio.run(_insert(database_url, members))
    memories = [Memory(process.pid) for process in processes]
    begun = time.perf_counter()
    started = _ask(client, EXPORT, list=group_id, fields=FIELDS)["exportList"]
    url = client.url.removesuffix("/graphql") + started["downloadUrl"]
    first_byte, lines, size = _download(url)
    together = time.perf_counter() - begun
    found = _ask(client, STATE, id=started["export"]["id"])["export"]
    assert (found["state"], found["rows"], found["bytes"], lines) == ("DONE", members, size, members + 1)
    begun = time.perf_counter()
    _download(url)
    again = time.perf_counter() - begun
    megabytes = size / 1e6
    print(
        f"{members} members, {megabytes:.0f} MB: first byte after {first_byte:.2f} s; written and downloaded after {together:.1f} s, "
        f"{members / together:,.0f} rows/s, {megabytes / together:.1f} MB/s; downloaded again in {again:.1f} s, {megabytes / again:.0f} MB/s"
    )
    for name, memory in zip(("web process", "worker"), memories, strict=True):
        print(f"memory of the {name}: {memory.first:.0f} MB before, {memory.stop():.0f} MB at most")


async def _insert(database_url: str, members: int) -> None:
    """Puts everybody into buckets of the usual size."""
    connection = await asyncpg.connect(database_url)
    (row,) = await connection.fetch("SELECT workspace_id, id FROM buckets")
    workspace_id, first = row["workspace_id"], row["id"]
    group_id = await connection.fetchval("SELECT id FROM groups")
    for start in range(0, members, BUCKET_PEOPLE):
        bucket_id = first - start // BUCKET_PEOPLE
        if start:
            await connection.execute(
                "INSERT INTO buckets (id, workspace_id, is_open, last_instant, evaluated_through) VALUES ($1, $2, false, now(), now())",
                bucket_id,
                workspace_id,
            )
        await connection.execute(MAKE, bucket_id, group_id, start, min(BUCKET_PEOPLE, members - start))
    await connection.execute("ANALYZE")
    await connection.close()


def _download(url: str) -> tuple[float, int, int]:
    """The seconds to the first byte, and the lines and bytes."""
    begun = time.perf_counter()
    first, lines, size = 0.0, 0, 0
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  # our own server
        while part := answer.read(2**16):
            first = first or time.perf_counter() - begun
            lines += part.count(b"\n")
            size += len(part)
    return first, lines, size


class Memory:
    """The highest resident memory of a process, sampled ten times a second, in MB."""

    def __init__(self, process_id: int) -> None:
        self._status = Path(f"/proc/{process_id}/status")
        self.first = self._most = self._resident()
        self._over = Event()
        self._thread = Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        self._over.set()
        self._thread.join()
        return self._most

    def _look(self) -> None:
        while not self._over.wait(0.1):
            self._most = max(self._most, self._resident())

    def _resident(self) -> float:
        (line,) = [it for it in self._status.read_text().splitlines() if it.startswith("VmRSS")]
        return int(line.split()[1]) / 1024


def _ask(client: Client, document: str, **variables: object) -> dict[str, Any]:  # Any: JSON
    answer = ask(client, document, variables)
    assert "errors" not in answer, answer
    data: dict[str, Any] = answer["data"]
    return data


def _until_it_answers(client: Client) -> None:
    url = client.url.removesuffix("/graphql") + "/readyz"
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  # our own server
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the processes did not start")


def _program() -> list[str]:
    return [sys.executable, "-m", "audience_gql.cli"]


def _run(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run([*_program(), *words], env=environment, check=True, capture_output=True, text=True)  # noqa: S603  # the same
    return done.stdout


if __name__ == "__main__":
    main()
