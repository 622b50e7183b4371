"""Nothing stays behind and nothing is lost, whoever is killed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from redis.asyncio import Redis

from audience_gql.embedded import Servers

pytestmark = pytest.mark.faults

RECOVERY_SECONDS = 10
"""Measured: 0.3 for Postgres, 0.15 for Valkey. The room is for a machine that does other things as well."""


async def fetch(url: object, sql: str) -> Any:  # Any: a value of a column
    connection = await asyncpg.connect(str(url))
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def wait_for(is_so: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_a_killed_postgres_is_back_with_its_data_on_its_port(state):
    with Servers.start(state) as servers:
        url = servers.addresses.database_url
        asyncio.run(fetch(url, "CREATE TABLE kept AS SELECT 42 AS answer"))
        before = servers.postgres.pid

        servers.postgres.kill()

        assert servers.postgres.wait_until_ready(RECOVERY_SECONDS)
        assert servers.postgres.pid != before
        assert asyncio.run(fetch(url, "SELECT answer FROM kept")) == 42


def test_a_killed_valkey_is_back_on_its_port(state):
    async def ping() -> bool:
        async with Redis.from_url(servers.addresses.redis_url) as client:
            return await client.ping()

    with Servers.start(state) as servers:
        for _ in range(3):
            servers.valkey.kill()

            assert servers.valkey.wait_until_ready(RECOVERY_SECONDS)
            assert asyncio.run(ping())


def test_a_server_held_down_stays_down_until_it_is_started(state):
    with Servers.start(state) as servers:
        port = urlsplit(servers.addresses.database_url).port

        servers.postgres.stop()

        assert not servers.postgres.wait_until_ready(0.5)
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            asyncio.run(fetch(servers.addresses.database_url, "SELECT 1"))
        servers.postgres.start()
        assert urlsplit(servers.addresses.database_url).port == port
        assert asyncio.run(fetch(servers.addresses.database_url, "SELECT 1")) == 1


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_owner_leaves_no_process(installation, state, processes_of, death):
    kept_in = state if installation.user is None else installation.home / "state"
    keeper = installation.keep(kept_in)
    assert len(processes_of(kept_in)) == 4

    os.killpg(keeper.process.pid, death)
    keeper.process.wait(timeout=60)

    wait_for(lambda: processes_of(kept_in) == [])
    assert "error" not in installation.keep(kept_in).said


def test_an_owner_killed_while_it_starts_leaves_no_process(installation, state, processes_of):
    kept_in = state if installation.user is None else installation.home / "state"
    for moment in (0.05, 0.15, 0.3, 0.45):
        process = installation.launch(kept_in)
        time.sleep(moment)  # the instant is the case
        process.kill()
        process.wait()
        wait_for(lambda: processes_of(kept_in) == [])

    assert "error" not in installation.keep(kept_in).said


def test_a_killed_owner_of_a_throwaway_folder_leaves_no_folder(installation, processes_of):
    keeper = installation.keep()
    folder = Path(asyncio.run(fetch(keeper.said["database_url"], "SHOW data_directory"))).parent
    assert folder.is_dir()

    keeper.process.kill()

    wait_for(lambda: not folder.exists() and processes_of(folder) == [])


def test_left_over_servers_are_ended_by_the_next_start(installation, state, processes_of):
    kept_in = state if installation.user is None else installation.home / "state"
    keeper = installation.keep(kept_in)
    servers = {keeper.said["postgres"], keeper.said["valkey"]}
    owner_and_guardian = set(processes_of(kept_in)) - servers
    for number in (signal.SIGSTOP, signal.SIGKILL):  # at once: neither sees the other die
        for pid in owner_and_guardian:
            os.kill(pid, number)
    keeper.process.wait(timeout=60)
    wait_for(lambda: set(processes_of(kept_in)) == servers)

    again = installation.keep(kept_in)

    assert asyncio.run(fetch(again.said["database_url"], "SELECT 1")) == 1
    assert not servers & set(processes_of(kept_in))


def test_programs_that_only_mention_the_folder_are_let_live(ours, state):
    ours.keep(state).end()
    onlooker = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()", state / "postgres"], stdin=subprocess.PIPE
    )

    ours.keep(state).end()

    assert onlooker.poll() is None
    onlooker.communicate()


def test_a_pid_file_with_somebody_elses_number_is_stale(ours, state):
    ours.keep(state).end()
    owner = state.stat().st_uid
    somebody = subprocess.Popen(["sleep", "60"], user=owner if os.geteuid() == 0 else None)
    pid_file = state / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{somebody.pid}\n{state / 'postgres'}\n1\n1\n\n127.0.0.1\n0 0\nready\n")
    os.chown(pid_file, owner, -1)
    pid_file.chmod(0o600)

    again = ours.keep(state)

    assert "error" not in again.said
    assert somebody.poll() is None
    somebody.kill()
    somebody.wait()


def test_a_half_made_data_folder_is_made_again(ours, state):
    ours.keep(state).end()
    (state / "postgres").rename(state / "postgres.new")
    (state / "postgres.new" / "PG_VERSION").unlink()

    again = ours.keep(state)

    assert asyncio.run(fetch(again.said["database_url"], "SELECT 1")) == 1
    assert not (state / "postgres.new").exists()


def test_the_next_start_waits_for_the_guardian_of_the_last(ours, state, processes_of):
    keeper = ours.keep(state)
    asyncio.run(fetch(keeper.said["database_url"], "CREATE TABLE kept AS SELECT 42 AS answer"))
    ours_alone = {keeper.process.pid, keeper.said["postgres"], keeper.said["valkey"]}
    (guardian,) = set(processes_of(state)) - ours_alone
    os.kill(guardian, signal.SIGSTOP)
    keeper.process.kill()
    keeper.process.wait(timeout=60)

    starting = ours.launch(state)
    with pytest.raises(subprocess.TimeoutExpired):
        starting.wait(1)  # neither refused, nor up: see below
    assert len(processes_of(state)) == 4  # the old servers, their guardian, and who waits
    os.kill(guardian, signal.SIGCONT)

    said = json.loads(starting.stdout.readline())
    assert asyncio.run(fetch(said["database_url"], "SELECT answer FROM kept")) == 42
    starting.communicate()
