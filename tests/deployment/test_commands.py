"""The commands of a deployment: what goes wrong is told in a line, and the exit code says that it did."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from audience_gql.cli import main
from audience_gql.embedded import Servers
from audience_gql.embedded.ports import free_port
from audience_gql.storage.schema import migrate
from tests import product

pytestmark = pytest.mark.slow
"""Each test starts processes that import the whole program."""

COMMANDS = {
    "serve": ("serve", "--port", "0"),
    "worker": ("worker",),
    "migrate": ("migrate",),
    "ready": ("ready",),
    "recompute": ("recompute",),
    "restored": ("restored",),
    "token": ("token", "create", "--workspace", "Shop", "--name", "first"),
    "timezone": ("timezone", "--workspace", "Shop", "Europe/Vilnius"),
    "week-start": ("week-start", "--workspace", "Shop", "sunday"),
}
AWAY = "postgres://nobody@127.0.0.1:1/nothing"


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    out: str
    err: str


async def run(*words: str, **settings: str) -> Ended:
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "audience_gql.cli", *words),
        env={**kept, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("missing", ["DATABASE_URL", "REDIS_URL"])
async def test_a_missing_setting_is_named(name, missing):
    given = {"DATABASE_URL": AWAY, "REDIS_URL": "redis://127.0.0.1:1"} | {missing: ""}

    ended = await run(*COMMANDS[name], **given)

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"audience-gql: {missing} ")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("name", ["migrate", "recompute", "restored", "token", "timezone"])
async def test_a_database_that_is_away_is_told(name, redis_url):
    ended = await run(*COMMANDS[name], DATABASE_URL=AWAY, REDIS_URL=redis_url)

    assert ended.code == 1
    assert ended.err.startswith("audience-gql: ")
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("name", ["migrate", "restored", "timezone"])
@pytest.mark.parametrize("wrong", [{"path": "/no_such_database"}, {"netloc": "nobody:guess@"}])
async def test_a_database_that_refuses_is_told(name, wrong, database_url, redis_url):
    url = urlsplit(database_url)
    if "netloc" in wrong:
        wrong = {"netloc": wrong["netloc"] + url.netloc.rpartition("@")[2]}

    ended = await run(*COMMANDS[name], DATABASE_URL=urlunsplit(url._replace(**wrong)), REDIS_URL=redis_url)

    assert ended.code == 1
    assert ended.err.startswith("audience-gql: Postgres refuses the connection: ")
    assert "guess" not in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("name", ["migrate", "serve", "worker", "up", "demo"])
async def test_a_database_of_another_version_is_refused(name, tmp_path, empty_database_url, redis_url):
    await record_another_version(empty_database_url)
    words = COMMANDS.get(name, (name, "--port", str(free_port()), "--state", str(tmp_path / "state")))

    ended = await run(*words, DATABASE_URL=empty_database_url, REDIS_URL=redis_url)

    database = urlsplit(empty_database_url).path.removeprefix("/")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        f"audience-gql: the database '{database}' belongs to another version of this program (its last migration is m0001_other): "
        "use that version, or drop the database and create it again\n"
    )


async def test_ready_tells_of_a_database_of_another_version(empty_database_url, redis_url):
    await record_another_version(empty_database_url)

    ended = await run("ready", DATABASE_URL=empty_database_url, REDIS_URL=redis_url)

    assert ended.code == 1
    assert "migrations: run `audience-gql migrate`\n" in ended.out


@pytest.mark.faults
async def test_the_state_of_another_version_is_kept_by_up_and_remade_by_the_demo():
    state = Path(tempfile.mkdtemp(prefix="audience-state-"))  # any account may enter its parent folders
    words = ("--port", str(free_port()), "--state", str(state))
    with Servers.start(state) as servers:
        await migrate(servers.addresses.database_url)
        await record_another_version(servers.addresses.database_url)
    (state / "secret.key").write_text("of then", encoding="utf-8")

    kept = await run("up", *words)
    secret = (state / "secret.key").read_text(encoding="utf-8")
    remade = await said_until("Loading the data", "demo", *words)

    assert (kept.code, secret) == (1, "of then")
    assert kept.err == (
        f"audience-gql: the data in {state} belongs to another version of this program (its last migration is m0001_other): "
        "use that version, or delete this folder to start without data\n"
    )
    assert "The data belonged to another version of this program, and is made again.\n" in remade
    assert (state / "secret.key").read_text(encoding="utf-8") != "of then"
    shutil.rmtree(state)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("timezone", "--workspace", "Shop", "Europe/Vilnius"), "no workspace called 'Shop'"),
        (("week-start", "--workspace", "Shop", "sunday"), "no workspace called 'Shop'"),
        (("token", "create", "--workspace", "Shop", "--name", ""), "name"),
        (("token", "create", "--workspace", "", "--name", "first"), "name"),
    ],
)
async def test_what_is_refused_says_why(words, said, empty_database_url, redis_url):
    ended = await run(*words, DATABASE_URL=empty_database_url, REDIS_URL=redis_url)

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("audience-gql: ")
    assert said in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("name", ["serve", "up", "demo"])
def test_a_port_that_there_is_not_is_refused(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--port", "65536"])

    assert ended.value.code == 2
    assert "argument --port: expected a number up to 65535, not '65536'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "line"),
    [(["serve"], "Run the web process."), (["token", "list"], "List the tokens of a workspace that are not")],
)
def test_the_help_of_a_command_begins_with_what_it_does(words, line, capsys):
    with pytest.raises(SystemExit):
        main([*words, "--help"])

    assert f"\n\n{line}" in capsys.readouterr().out


async def test_ready_says_which_part_is_missing(empty_database_url, redis_url):
    alone = await run("ready", DATABASE_URL=empty_database_url, REDIS_URL=redis_url)
    without = await run("ready", DATABASE_URL=AWAY, REDIS_URL="redis://127.0.0.1:1")

    assert alone.code == 1
    assert "postgres: ok\nmigrations: ok\nworker: no worker was seen so far\n" in alone.out
    assert (without.code, without.out.count("postgres: does not answer")) == (1, 1)
    assert "Traceback" not in alone.err + without.err


@pytest.mark.parametrize("name", ["serve", "worker", "up", "demo"])
async def test_a_wrong_log_level_is_refused(name, tmp_path):
    words = COMMANDS.get(name, (name, "--port", "1", "--state", str(tmp_path / "state")))

    ended = await run(*words, DATABASE_URL=AWAY, REDIS_URL="redis://127.0.0.1:1", AUDIENCE_LOG_LEVEL="loud")

    assert (ended.code, ended.out) == (1, "")
    assert ended.err == (
        "audience-gql: AUDIENCE_LOG_LEVEL is 'loud'; expected one of DEBUG, INFO, WARNING, ERROR, CRITICAL\n"
    )
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(("level", "is_told"), [("", True), ("error", True), ("critical", False)])
async def test_a_web_process_logs_at_the_level_that_is_set(level, is_told, redis_url):
    ended = await run(*COMMANDS["serve"], DATABASE_URL=AWAY, REDIS_URL=redis_url, AUDIENCE_LOG_LEVEL=level)

    assert ended.code != 0
    assert ("Postgres cannot be reached" in ended.err) is is_told


@pytest.mark.faults
async def test_all_processes_of_up_log_at_the_level_that_is_set(tmp_path):
    async with product.started(tmp_path, AUDIENCE_LOG_LEVEL="debug") as started:
        said = [
            (tmp_path / name).read_text(encoding="utf-8")
            for name in ("up.log", "state/web.log", "state/worker.log")
        ]

    password = urlsplit(started.database_url).password
    assert [" DEBUG " in text for text in said] == [True, True, True]
    assert password or "CITUS_URL" in os.environ  # whoever names a cluster may use one that asks for none
    assert not password or not any(password in text for text in said)


async def record_another_version(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "UPDATE tortoise_migrations SET name = 'm0001_other' WHERE name = 'm0001_initial'"
    )
    await connection.execute("DELETE FROM tortoise_migrations WHERE name > 'm0001_other'")
    await connection.close()


async def said_until(text: str, *words: str) -> str:
    """What the command has printed up to this text. The command is then told to stop, and has ended."""
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "audience_gql.cli", *words), env=kept, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        said = await process.stdout.readuntil(text.encode())
        process.terminate()
        await process.communicate()
    return said.decode()


async def scopes_in(database_url: str) -> list[str]:
    """The scopes of the only token in a database."""
    connection = await asyncpg.connect(database_url)
    scopes: list[str] = await connection.fetchval("SELECT scopes FROM api_tokens")
    await connection.close()
    return scopes


async def test_a_token_a_time_zone_and_a_week(empty_database_url, redis_url):
    settings = {"DATABASE_URL": empty_database_url, "REDIS_URL": redis_url}

    made = await run(*COMMANDS["token"], "--scope", "TRACK", "--scope", "ADMIN", **settings)
    moved = await run(*COMMANDS["timezone"], **settings)
    refused = await run("timezone", "--workspace", "Shop", "Mars/Olympus", **settings)
    begun = await run(*COMMANDS["week-start"], **settings)

    assert (made.code, made.out.startswith("agq_")) == (0, True)
    assert set(await scopes_in(empty_database_url)) == {"TRACK", "ADMIN"}
    assert (moved.code, moved.out + moved.err) == (0, "")
    assert (begun.code, begun.out + begun.err) == (0, "")
    assert refused.code == 1
    assert "Mars/Olympus" in refused.err


async def test_workspaces_and_tokens_from_their_beginning_to_their_end(empty_database_url, redis_url):
    settings = {"DATABASE_URL": empty_database_url, "REDIS_URL": redis_url}

    async def said(*words: str, code: int = 0) -> str:
        ended = await run(*words, **settings)
        assert ended.code == code, ended
        return ended.out if code == 0 else ended.err

    await said("workspace", "create", "Shop", "--timezone", "Europe/Vilnius")
    taken = await said("workspace", "create", "Shop", code=1)
    secret = await said(
        "token",
        "create",
        "--workspace",
        "Shop",
        "--name",
        "CRM",
        "--days",
        "30",
        "--network",
        "203.0.113.0/24",
    )
    prefix = secret.split("_")[1]
    rotated = await said("token", "rotate", "--workspace", "Shop", prefix, "--overlap-hours", "1")
    listed = await said("token", "list", "--workspace", "Shop")
    await said("token", "revoke", "--workspace", "Shop", f"agq_{prefix}")
    unknown = await said("token", "revoke", "--workspace", "Shop", prefix, code=1)
    left = await said("token", "list", "--workspace", "Shop")
    await said("workspace", "rename", "Shop", "Store")
    spaces = await said("workspace", "list")
    unconfirmed = await said("workspace", "delete", "Store", "--confirm", "Shop", code=1)
    deleted = await said("workspace", "delete", "Store", "--confirm", "Store")
    gone = await said("token", "list", "--workspace", "Store", code=1)

    assert "there is a workspace called 'Shop' already" in taken
    lines = [line.split("\t") for line in listed.splitlines()]
    assert [line[:3] for line in lines] == [[rotated.split("_")[1], "CRM", "READ"], [prefix, "CRM", "READ"]]
    assert all(line[4:] == ["from 203.0.113.0/24", "never used"] for line in lines)
    assert secret.split("_")[2].strip() not in listed
    assert f"the workspace has no token {prefix!r}" in unknown
    assert left.split("\t")[0] == rotated.split("_")[1]
    assert spaces.startswith("Store\tEurope/Vilnius\tcreated ")
    assert "repeat its name exactly: 'Store'" in unconfirmed
    assert deleted == "Store is deleted; its data is still in backups\n"
    assert "there is no workspace called 'Store'" in gone
    assert await said("workspace", "list") == ""


async def test_documents_are_published_listed_and_withdrawn(empty_database_url, redis_url, tmp_path):
    settings = {"DATABASE_URL": empty_database_url, "REDIS_URL": redis_url}
    good, bad = tmp_path / "good.graphql", tmp_path / "bad.graphql"
    good.write_text("query Viewer { viewer { token { name } } }\n", encoding="utf-8")
    bad.write_text("query Bad {\n  nothing\n}\n", encoding="utf-8")
    name = hashlib.sha256(good.read_bytes()).hexdigest()
    of_shop = ("--workspace", "Shop")

    token = await run(*COMMANDS["token"], "--only-trusted-documents", **settings)
    tokens = await run("token", "list", *of_shop, **settings)
    refused = await run("documents", "publish", str(tmp_path), *of_shop, **settings)
    bad.unlink()
    published = await run("documents", "publish", str(tmp_path), *of_shop, **settings)
    listed = await run("documents", "list", *of_shop, **settings)
    withdrawn = await run("documents", "withdraw", f"sha256:{name}", *of_shop, **settings)
    unknown = await run("documents", "withdraw", name, *of_shop, **settings)

    assert token.code == 0
    assert tokens.out.endswith("\ttrusted documents only\n")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == f"{bad}:2:3: Query has no field nothing\naudience-gql: nothing was published\n"
    assert (published.code, published.out) == (0, f"{name}\tViewer\n")
    assert published.err.endswith("1 of 1 documents are new\n")
    assert listed.out.startswith(f"{name}\tViewer\tpublished 20")
    assert listed.out.endswith(" by audience-gql\n")
    assert (withdrawn.code, withdrawn.out) == (0, "")
    assert (unknown.code, "no document with this hash is published" in unknown.err) == (1, True)
