"""What a caller of Servers may rely on while all is well."""

import asyncio
import os
import stat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from audience_gql.embedded import Servers
from audience_gql.embedded import servers as composition
from audience_gql.embedded.ports import free_port
from audience_gql.embedded.postgres import WrongMajor
from audience_gql.embedded.state import FolderInUse

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def running():
    with Servers.throwaway() as servers:
        yield servers


async def fetch(url: str, sql: str) -> Any:  # Any: a value of a column
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def folder_of(url: str) -> Path:
    return Path(asyncio.run(fetch(url, "SHOW data_directory"))).parent


async def test_both_answer_on_loopback_only(running):
    postgres, valkey = running.addresses.database_url, Redis.from_url(running.addresses.redis_url)

    assert await fetch(postgres, "SHOW listen_addresses") == "127.0.0.1"
    assert await fetch(postgres, "SHOW unix_socket_directories") == ""
    assert (await valkey.config_get("bind")) == {"bind": "127.0.0.1"}
    await valkey.aclose()


async def test_neither_lets_anybody_in_without_its_password(running):
    address = urlsplit(running.addresses.redis_url)
    stranger = Redis(host=address.hostname, port=address.port)

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(running.addresses.database_url, password="guessed")
    with pytest.raises(AuthenticationError):
        await stranger.ping()
    await stranger.aclose()


async def test_letters_do_not_depend_on_the_machine(running):
    connection = await asyncpg.connect(running.addresses.database_url)
    await connection.execute("CREATE EXTENSION pg_trgm")

    assert await connection.fetchval("SELECT lower('ÀЖ')") == "àж"
    assert await connection.fetchval("SELECT show_trgm('ж') <> '{}'")
    assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    await connection.close()


def test_what_is_kept_is_closed_to_others(state):
    with Servers.start(state):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (state, *state.iterdir())}

    assert modes["state"] == modes["postgres"] == 0o700
    assert {
        modes[name] for name in ("postgres.password", "valkey.password", "valkey.conf", "postgres.log")
    } == {0o600}


def test_the_passwords_are_on_no_command_line(state):
    with Servers.start(state) as servers:
        lines = [
            Path(f"/proc/{server.pid}/cmdline").read_text() for server in (servers.postgres, servers.valkey)
        ]
        passwords = [
            urlsplit(url).password for url in (servers.addresses.database_url, servers.addresses.redis_url)
        ]

    assert all(password and password not in line for password in passwords for line in lines)


def test_data_and_passwords_outlive_a_stop(state):
    with Servers.start(state) as servers:
        asyncio.run(fetch(servers.addresses.database_url, "CREATE TABLE kept AS SELECT 42 AS answer"))
        password = urlsplit(servers.addresses.database_url).password
    with Servers.start(state) as servers:
        answer = asyncio.run(fetch(servers.addresses.database_url, "SELECT answer FROM kept"))

        assert answer == 42
        assert urlsplit(servers.addresses.database_url).password == password


def test_durable_unless_thrown_away(state, running):
    with Servers.start(state) as servers:
        kept = asyncio.run(fetch(servers.addresses.database_url, "SHOW fsync"))

    assert kept == "on"
    assert asyncio.run(fetch(running.addresses.database_url, "SHOW fsync")) == "off"


def test_stop_leaves_no_process_and_may_be_repeated(state, processes_of):
    servers = Servers.start(state)
    before = processes_of(state)

    servers.stop()
    servers.stop()

    assert len(before) == 3  # the two servers and the guardian
    assert processes_of(state) == []


def test_a_throwaway_folder_goes_away(processes_of):
    with Servers.throwaway() as servers:
        folder = folder_of(servers.addresses.database_url)
        assert folder.is_dir()

    assert not folder.exists()
    assert processes_of(folder) == []


def test_a_second_instance_is_refused_by_folder_and_pid(state):
    with Servers.start(state) as servers:
        with pytest.raises(FolderInUse) as refused:
            Servers.start(state)
        assert asyncio.run(fetch(servers.addresses.database_url, "SELECT 1")) == 1

    assert str(state) in str(refused.value)
    assert str(os.getpid()) in str(refused.value)


def test_data_of_another_version_are_refused_and_left_alone(state, processes_of):
    Servers.start(state).stop()
    version = state / "postgres" / "PG_VERSION"
    version.write_text("17\n")

    with pytest.raises(WrongMajor, match=r"made by Postgres 17, and the bundled one is 18"):
        Servers.start(state)

    assert version.read_text() == "17\n"
    assert processes_of(state) == []


def test_a_port_taken_at_the_last_moment_is_given_up(state, running, monkeypatch):
    taken = urlsplit(running.addresses.database_url).port
    offered = [taken, taken]
    monkeypatch.setattr(composition, "free_port", lambda: offered.pop() if offered else free_port())

    with Servers.start(state) as servers:
        assert asyncio.run(fetch(servers.addresses.database_url, "SELECT 1")) == 1
        assert taken not in [
            urlsplit(url).port for url in (servers.addresses.database_url, servers.addresses.redis_url)
        ]
