"""The bundled servers in every weather: as root and as an ordinary user, killed owners, stale files, odd surroundings."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError  # noqa: A004  # the client's own

import audience_gql.embedded
from audience_gql.embedded import Servers, default_state_folder
from audience_gql.embedded.leftovers import find_leftovers

pytestmark = pytest.mark.faults

HOLDER = Path(__file__).with_name("holder.py")
SOURCES = Path(audience_gql.embedded.__file__).parents[2]
PATIENCE_SECONDS = 30.0


class Owner:
    """A process that holds servers on a folder, under an account of the test's choice."""

    def __init__(
        self, state: Path, *, user: str | None = None, environment: dict[str, str] | None = None
    ) -> None:
        account = pwd.getpwnam(user) if user else None
        paths = os.pathsep.join([str(SOURCES), sysconfig.get_paths()["purelib"]])
        self.process = subprocess.Popen(
            [_interpreter(account), str(HOLDER), str(state)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONPATH": paths, **(environment or {})},
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )
        assert self.process.stdout is not None
        self.said: dict[str, Any] = json.loads(self.process.stdout.readline() or "{}")

    def stop(self) -> None:
        self.process.communicate()

    def exit_code(self) -> int:
        """The exit code of a process that was refused, and ends by itself."""
        self.process.communicate()
        return self.process.returncode

    def kill(self) -> None:
        with self.process:  # closes its pipes
            self.process.kill()


def _interpreter(account: pwd.struct_passwd | None) -> str:
    """This Python, or the system's where the account cannot reach this one (its own files may lie in root's home)."""
    for program in (sys.executable, "/usr/bin/python3"):
        try:
            subprocess.run(
                [program, "-c", "import sys; assert sys.version_info >= (3, 11)"],
                user=account.pw_uid if account else None,
                check=True,
                capture_output=True,
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return program
    pytest.skip(f"no Python that {account.pw_name if account else 'the caller'} can run")


@pytest.fixture
def state() -> Iterator[Path]:
    """A folder that any account may use as its own: pytest's own temporary ones are closed to others."""
    parent = Path(tempfile.mkdtemp(prefix="audience state "))
    parent.chmod(0o777)
    yield parent / "state"
    shutil.rmtree(parent, ignore_errors=True)


def gone(state: Path) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while find_leftovers(state):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


async def ask(said: dict[str, Any], sql: str) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            connection = await asyncpg.connect(said["database_url"])
            break
        except (OSError, asyncpg.PostgresError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


ACCOUNTS = [None, "nobody"] if os.geteuid() == 0 else [None]
"""The caller's account and, if the caller is root, an ordinary account too."""


@pytest.mark.parametrize("user", ACCOUNTS)
async def test_both_servers_answer_keep_their_data_and_leave_nothing_running(state, user):
    owner = Owner(state, user=user)
    await ask(owner.said, "CREATE TABLE kept AS SELECT 42 AS answer")
    redis = Redis.from_url(owner.said["redis_url"])
    assert await redis.ping()
    await redis.aclose()
    owner.stop()
    assert find_leftovers(state) == []

    again = Owner(state, user=user)
    assert await ask(again.said, "SELECT answer FROM kept") == 42
    assert (await ask(again.said, "SHOW server_version")).startswith("18")
    again.stop()
    assert find_leftovers(state) == []


async def test_the_database_is_utf8_in_the_builtin_locale_whatever_the_environment_says(state):
    owner = Owner(
        state,
        environment={"LANG": "xx_YY.bogus", "LC_ALL": "xx_YY.bogus", "PGDATA": "/nowhere", "PGPORT": "1"},
    )

    found = await ask(
        owner.said,
        "SELECT pg_encoding_to_char(encoding) || ' ' || datlocprovider::text || ' ' || datlocale FROM pg_database WHERE datname = current_database()",
    )
    owner.stop()

    assert found == "UTF8 b C.UTF-8"


async def test_nobody_without_the_password_gets_in(state):
    owner = Owner(state)
    url = owner.said["database_url"]
    password = url.split(":")[2].split("@")[0]

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(url.replace(password, "guess"))
    modes = {path.name: path.stat().st_mode & 0o777 for path in state.glob("*.password")}
    owner.stop()

    assert modes == {"postgres.password": 0o600, "valkey.password": 0o600}
    assert state.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("user", ACCOUNTS)
async def test_a_killed_owner_leaves_no_process_and_the_next_start_finds_the_data(state, user):
    owner = Owner(state, user=user)
    await ask(owner.said, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert find_leftovers(state)

    owner.kill()

    assert gone(state)
    redis = Redis.from_url(owner.said["redis_url"])
    with pytest.raises(ConnectionError):  # not only unseen, but gone
        await redis.ping()
    await redis.aclose()
    again = Owner(state, user=user)
    assert await ask(again.said, "SELECT answer FROM kept") == 42
    again.stop()


async def test_a_second_instance_is_refused_with_the_folder_and_the_pid(state):
    owner = Owner(state)

    second = Owner(state)
    owner.stop()

    assert second.exit_code() == 1
    assert second.said["kind"] == "FolderInUse"
    assert str(state) in second.said["error"]
    assert str(owner.process.pid) in second.said["error"]


async def test_a_stale_pid_file_that_names_a_stranger_is_not_believed(state):
    Owner(state).stop()
    stranger = subprocess.Popen(["sleep", "60"])
    pid_file = state / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{stranger.pid}\n{state}/postgres\n1\n5432\n\n127.0.0.1\n0 0\nready\n")

    owner = Owner(state)
    alive = stranger.poll() is None
    stranger.kill()
    stranger.wait()

    assert await ask(owner.said, "SELECT 1") == 1
    assert alive
    owner.stop()


async def test_a_crashed_server_comes_back_on_its_port_with_its_data():
    with Servers.throwaway() as servers:
        said = {"database_url": servers.addresses.database_url}
        await ask(said, "CREATE TABLE kept AS SELECT 42 AS answer")
        held = await asyncpg.connect(said["database_url"])

        servers.kill_postgres()
        servers.kill_valkey()

        assert await ask(said, "SELECT answer FROM kept") == 42
        assert servers.valkey.wait_until_ready(10)  # the client does not try a refused connection again
        redis = Redis.from_url(
            servers.addresses.redis_url,
            retry=Retry(ConstantBackoff(0.05), 400),
            retry_on_error=[ConnectionError],
        )
        assert await redis.ping()
        await redis.aclose()
        held.terminate()


async def test_another_majors_data_is_refused(state):
    Owner(state).stop()
    (state / "postgres" / "PG_VERSION").write_text("14\n")

    refused = Owner(state)

    assert refused.exit_code() == 1
    assert refused.said["kind"] == "WrongMajor"
    assert "14" in refused.said["error"]


def test_the_default_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert default_state_folder() == tmp_path / "audience-gql"
