"""The set-up that every command of `dev` begins with, in a folder of its own. Python's venv and pip are stood in for."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import subprocess
import sys
import threading
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

_ROOT = Path(__file__).parents[1]
_REGISTRY_ADDRESSES = ("http://", "https://")


class Project:
    """A checkout with a copy of `dev`, and the names of the lock files that pip was asked to install."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.installed: list[str] = []
        self.is_pip_broken = False
        self.pip_seconds = 0.0
        (root / "locks").mkdir(parents=True)
        for name in ("locks/runtime.txt", "locks/dev.txt", "pyproject.toml"):
            (root / name).write_text(name)
        shutil.copy(_ROOT / "dev", root / "dev")
        self.dev = self.load(root)

    def load(self, root: Path) -> ModuleType:
        loader = SourceFileLoader("dev", str(root / "dev"))
        spec = importlib.util.spec_from_loader("dev", loader)
        assert spec is not None
        dev = importlib.util.module_from_spec(spec)
        loader.exec_module(dev)
        vars(dev).update(make_venv=self._make_venv, pip=self._pip)
        return dev

    def set_up(self, name: str) -> None:
        self.dev.set_up(self.root / "locks" / name)

    def _make_venv(self, folder: Path) -> None:
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").symlink_to(sys.executable)

    def _pip(self, venv: Path, *wanted: str | Path) -> None:
        assert (venv / "bin" / "python").exists()
        if self.is_pip_broken:
            raise SystemExit("pip failed")
        threading.Event().wait(self.pip_seconds)
        if "-r" in wanted:
            self.installed.append(Path(wanted[-1]).name)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "a folder")


def test_a_second_start_installs_nothing(project: Project) -> None:
    project.set_up("runtime.txt")
    project.set_up("runtime.txt")

    assert project.installed == ["runtime.txt"]


def test_what_development_needs_has_all_that_the_product_needs(project: Project) -> None:
    project.set_up("dev.txt")
    project.set_up("runtime.txt")

    assert project.installed == ["dev.txt"]


def test_what_the_product_needs_is_not_enough_for_development(project: Project) -> None:
    project.set_up("runtime.txt")
    project.set_up("dev.txt")

    assert project.installed == ["runtime.txt", "dev.txt"]


@pytest.mark.parametrize("changed", ["locks/runtime.txt", "locks/dev.txt", "pyproject.toml"])
def test_a_change_is_installed_into_what_is_there(project: Project, changed: str) -> None:
    project.set_up("runtime.txt")
    (project.root / ".venv" / "kept").touch()

    (project.root / changed).write_text("changed")
    project.set_up("runtime.txt")

    assert project.installed == ["runtime.txt", "runtime.txt"]
    assert (project.root / ".venv" / "kept").exists()


def test_going_back_to_an_earlier_lock_file_installs_it_again(project: Project) -> None:
    project.set_up("runtime.txt")
    (project.root / "locks" / "runtime.txt").write_text("changed")
    project.set_up("dev.txt")

    (project.root / "locks" / "runtime.txt").write_text("locks/runtime.txt")
    project.set_up("runtime.txt")

    assert project.installed == ["runtime.txt", "dev.txt", "runtime.txt"]


def test_one_left_half_made_is_made_anew(project: Project) -> None:
    project.set_up("runtime.txt")
    (project.root / "locks" / "runtime.txt").write_text("changed")
    project.is_pip_broken = True
    with pytest.raises(SystemExit):
        project.set_up("runtime.txt")
    (project.root / ".venv" / "half").touch()

    project.is_pip_broken = False
    project.set_up("runtime.txt")

    assert project.installed == ["runtime.txt", "runtime.txt"]
    assert not (project.root / ".venv" / "half").exists()


def test_one_that_came_as_a_copy_is_made_anew(project: Project, tmp_path: Path) -> None:
    project.set_up("runtime.txt")
    copied = shutil.copytree(project.root, tmp_path / "another folder", symlinks=True)
    (copied / ".venv" / "copied").touch()

    dev = project.load(copied)
    dev.set_up(copied / "locks" / "runtime.txt")

    assert project.installed == ["runtime.txt", "runtime.txt"]
    assert not (copied / ".venv" / "copied").exists()


def test_one_whose_python_is_gone_is_made_anew(project: Project) -> None:
    project.set_up("runtime.txt")
    (project.root / ".venv" / "bin" / "python").unlink()

    project.set_up("runtime.txt")

    assert project.installed == ["runtime.txt", "runtime.txt"]


def test_of_several_at_once_one_installs(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.pip_seconds = 0.2
    several = [threading.Thread(target=project.set_up, args=["runtime.txt"]) for _ in range(3)]
    for one in several:
        one.start()
    for one in several:
        one.join()

    assert project.installed == ["runtime.txt"]
    assert capsys.readouterr().out.count("Waiting for another") == 2


@pytest.mark.parametrize(("words", "code"), [([], 0), (["--help"], 0), (["demmo"], 2)])
def test_words_that_are_off_get_the_list_of_commands(
    project: Project, capsys: pytest.CaptureFixture[str], words: list[str], code: int
) -> None:
    assert project.dev.main(words) == code

    told = capsys.readouterr().out
    assert "python3 dev demo|up" in told
    assert told.endswith("There is no command 'demmo'; those above exist.\n") == (code == 2)
    assert project.installed == []


def test_a_check_says_what_failed_and_nothing_of_what_passed(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not project.dev.passes("bad", ["sh", "-c", "echo out; echo err >&2; exit 1"])
    assert project.dev.passes("good", ["sh", "-c", "echo never shown"])

    bad, *said, good = capsys.readouterr().out.splitlines()
    assert bad.startswith("FAILED bad (")
    assert [line for line in said if line] == ["out", "err"]
    assert good.startswith("ok     good (")


@pytest.mark.parametrize("name", ["runtime.txt", "dev.txt", "node.txt"])
def test_lock_files_pin_by_hash_and_name_no_address(name: str) -> None:
    requirements = (_ROOT / "locks" / name).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()

    assert requirements
    assert [line for line in requirements if "==" not in line or "--hash=sha256:" not in line] == []
    assert [line for line in requirements if any(address in line for address in _REGISTRY_ADDRESSES)] == []


def test_development_has_the_very_versions_of_the_product() -> None:
    runtime, development = (
        {
            line.split()[0]
            for line in (_ROOT / "locks" / name).read_text(encoding="utf-8").splitlines()
            if "==" in line
        }
        for name in ("runtime.txt", "dev.txt")
    )

    assert runtime - development == set()


@pytest.mark.parametrize(("command", "writer"), [("schema", "schema"), ("docs", "docs"), ("limits", "docs")])
def test_a_written_file_that_is_not_the_code_s_is_told_with_the_command_that_writes_it(
    project: Project, capsys: pytest.CaptureFixture[str], command: str, writer: str
) -> None:
    name, file = project.dev.WRITTEN[command]
    program = project.root / ".venv" / "bin" / "audience-gql"
    program.parent.mkdir(parents=True)
    program.write_text(
        f'#!/bin/sh\n[ "$1" = {name} ] && echo current\n[ "$2" != --clients ] || echo current >"$3/types.json"\n'
    )
    program.chmod(0o755)
    types = project.root / project.dev.CLIENTS / "types.json"
    files = [project.root / file, *([types] if command == "schema" else [])]
    for written in files:
        written.parent.mkdir(exist_ok=True)
        written.write_text("current\n")
    check = project.dev.is_current(command)

    assert project.dev.passes(command, check)
    for written in files:
        written.write_text("stale\n")
        assert not project.dev.passes(command, check)
        written.write_text("current\n")

        assert capsys.readouterr().out.splitlines()[-2:] == [f"See: python3 dev {writer}", ""]


def test_the_demo_does_not_wait_for_its_page(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str | Path]] = []
    monkeypatch.setattr(project.dev.subprocess, "Popen", lambda command, **_: started.append(command))
    monkeypatch.setattr(project.dev, "become", started.append)

    project.dev.main(["demo", "--port", "8001"])

    dev, product = project.root / "dev", project.root / ".venv" / "bin" / "audience-gql"
    assert started == [[sys.executable, dev, "pages", "--beside"], [product, "demo", "--port", "8001"]]


def test_a_page_that_is_built_beside_the_demo_is_given_up_with_it(project: Project) -> None:
    shutil.copy(_ROOT / "dev", project.root / "dev")
    (project.root / "page_builder.py").write_text(
        "import subprocess\ndef build(*_, **__):\n    subprocess.run(['sh', '-c', 'echo building; exec sleep 60'])\n"
    )
    with subprocess.Popen(
        [sys.executable, project.root / "dev", "pages", "--beside"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as building:
        assert building.stdin is not None
        assert building.stdout is not None
        assert building.stdout.readline() == b"building\n"

        building.stdin.close()

        assert building.wait(timeout=30) == -signal.SIGTERM
        assert building.stdout.read() == b""  # nobody of its session has it open any more


def test_the_demo_starts_in_a_folder_that_takes_no_page(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.root / ".pages" / "build.log").mkdir(parents=True)  # which cannot be written, even by root
    started: list[list[str | Path]] = []
    monkeypatch.setattr(project.dev, "become", started.append)

    project.dev.main(["demo"])

    assert started == [[project.root / ".venv" / "bin" / "audience-gql", "demo"]]


def test_pages_without_node_say_what_is_missing(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(_ROOT / "page_builder.py", project.root)
    for name in ("package.json", "package-lock.json"):
        (project.root / name).touch()
    for page in ("console", "playground"):
        (project.root / page).mkdir()
        for name in ("package.json", "vite.config.ts", "tsconfig.json", "index.html"):
            (project.root / page / name).touch()
    (project.root / "src" / "audience_gql" / "pages").mkdir(parents=True)
    monkeypatch.delitem(sys.modules, "page_builder", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PATH", "")
    project.set_up("runtime.txt")
    project.is_pip_broken = True

    assert project.dev.main(["pages"]) == 1

    monkeypatch.delitem(sys.modules, "page_builder")
    problem = project.root / "src" / "audience_gql" / "pages" / "problem.txt"
    assert problem.read_text() == "Node.js is missing, and it could not be downloaded. pip failed\n"
    assert "The pages were not built. Node.js is missing" in capsys.readouterr().out


def test_pages_take_no_other_words(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert project.dev.main(["pages", "--tpyes"]) == 2

    assert capsys.readouterr().out == "usage: python3 dev pages [--types]\n"
