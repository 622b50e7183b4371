"""A newcomer copies every command of the README and the docs into a shell: in a fresh checkout, beside the demo that they have started.

What is not run here is named below, with the reason. tests/test_snippets.py says of all commands that they are some.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pages import ROOT, Command, commands

pytestmark = [pytest.mark.bulk, pytest.mark.faults, pytest.mark.newcomer]

LEFT_OUT = {
    r"docker compose |export (POSTGRES_PASSWORD|AUDIENCE_DOMAIN|AUDIENCE_BACKUP_FOLDER)": "needs a Docker engine; tests/deployment reads the file and runs the same processes",
    r"pg_dump ": "needs a deployment's database; tests/faults/test_restore.py follows the page",
    r"npm (ci|run dev)": "serves a page to a developer, without an end",
    r"npm install --package-lock-only": "asks the npm registry for newer versions",
    r"python3 dev lock": "asks the package registry for newer versions",
    r"python3 dev (test|check)|DATABASE_URL=\S+ REDIS_URL=\S+ python3 dev test": "runs the tests, this one among them",
    r"python3 dev run deploy/without_docker.py": "tests/deployment runs it",
    r"AUDIENCE_WEBHOOK_NETWORKS=\S+ .* python3 dev up": "starts the product without data, beside the demo that runs",
    r"export WEBHOOK_SECRET=|python3 dev run examples/webhook-receiver": "needs the secret of an endpoint; tests/examples runs the program",
}
"""Commands that are not run, by how they begin."""
SHORTENED = {
    "benchmarks/engine": "--help",
    "benchmarks/fanout": "--help",
    "benchmarks/reads": "--help",
    "benchmarks/acting": "--help",
    "benchmarks/kinds.py": "--help",
    "benchmarks/workspaces.py": "--help",
    "benchmarks/segments.py": "--help",
    "benchmarks/upserts.py": "--help",
    "benchmarks/imports.py": "--rows 2000",
    "benchmarks/exports.py": "--members 2000",
    "benchmarks/live_latency.py": "--seconds 2 --no-leave",
}
"""Programs that take from minutes to hours, with what makes them short. What they need is imported all the same."""
ENDLESS = "listen.py"
SAYS = {
    "createSegment(": r'"state": "(COMPUTING|READY)"',
    "members(first: 3)": r'"state": "READY",\s+"memberCount": [1-9]\d*,\s+(?:.*\n)*.*"externalId"',
    "explain(subscriber": r'"isMember": true,\s+"nextChangeAt": "2',
    "01-segments.graphql": r'"memberCount": [1-9]',
    "live_latency.py": r"100 entered, none lost",
    "audience-gql sign-in": r"^http://127.0.0.1:\d+/sign-in#[\w-]{43}$",
    "audience-gql pull": r"^Files: [1-9]\d* created, 0 changed, 0 deleted, 0 unchanged\.$",
    "audience-gql plan": r"^Plan: 0 to create, 0 to change, 0 to delete, [1-9]\d* unchanged\.$",
    "audience-gql apply": r"^Plan: 0 to create, 0 to change, 0 to delete, [1-9]\d* unchanged\.$",
    "audience-gql import": r"^DONE: 2 rows, would be 2 created, 0 updated, 0 refused$",
    "audience-gql export": r"^DONE: [1-9]\d* rows, [1-9]\d* bytes$",
    "benchmarks/imports.py": r"^2000 rows",
    "benchmarks/exports.py": r"^2000 members",
    "listen.py": r'"kind": ?"MEMBER"|ENTERED',
    "--help": r"^usage:",
}
"""What a command's output has to hold, by a part of the command."""
PLAYING = re.compile(r"last minute: (\d+) entered, .* commit to socket (\d+) ms; .*Active buyers ([\d,]+)")
STATE_LINE = ". "
"""What a shell keeps for the commands after it: the variables of a file."""
PATIENCE_SECONDS = 240


def shortened(text: str) -> str:
    for program, words in SHORTENED.items():
        if text.startswith(f"python3 dev run {program}"):
            return f"{text} {words}"
    return text


def to_be_run() -> Iterator[Command]:
    """Each command once. The demo runs already, and what a shell keeps comes with each command of its page."""
    seen = set()
    for command in commands():
        once = re.sub(r"^(python3 dev run \S+) .*--help$", r"\1 --help", shortened(command.text))
        is_left_out = any(re.match(pattern, command.text) for pattern in LEFT_OUT)
        if is_left_out or command.text.startswith((STATE_LINE, "python3 dev demo")) or once in seen:
            continue
        seen.add(once)
        yield command


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Their checkout, and the environment of their shell."""

    checkout: Path
    environment: dict[str, str]

    def types(self, command: Command) -> str:
        """What the command says, in a shell that has the page's earlier lines."""
        earlier = [it.text for it in commands() if it.page == command.page and it.text.startswith(STATE_LINE)]
        lines = "\n".join((*dict.fromkeys(earlier), shortened(command.text)))
        shell = subprocess.Popen(
            ["bash", "-euc", lines.replace("~/.local/state", self.environment["XDG_STATE_HOME"])],
            cwd=self.checkout,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )
        clock = threading.Timer(PATIENCE_SECONDS, os.killpg, (shell.pid, signal.SIGKILL))
        clock.start()
        try:
            return said_by(shell, command)
        finally:
            clock.cancel()


def said_by(shell: subprocess.Popen[str], command: Command) -> str:
    """All that it says, to its end; of a program without an end, what it says up to what is expected."""
    if ENDLESS not in command.text:
        said, _ = shell.communicate()
        assert shell.returncode == 0, f"{command.text}\n{said}"
        return said
    said = ""
    assert shell.stdout
    for line in shell.stdout:
        said += line
        if re.search(SAYS[ENDLESS], line):
            break
    os.killpg(shell.pid, signal.SIGTERM)
    shell.communicate()
    return said


@pytest.fixture(scope="module")
def newcomer() -> Iterator[Newcomer]:
    """With the demo running. Without the package registry these tests do not run, or fail where AUDIENCE_REQUIRE_NEWCOMER=1 wants them."""
    folder = Path(tempfile.mkdtemp(prefix="newcomer-"))
    folder.chmod(
        0o755
    )  # for the servers' account, where root runs the tests; pytest's own folders are closed to it
    someone = Newcomer(checkout=clone(folder / "checkout"), environment=environment_of(folder))
    log = folder / "demo.log"
    command = ["python3", "dev", "demo", "--port", str(free_port())]
    with log.open("wb") as output:
        demo = subprocess.Popen(
            command, cwd=someone.checkout, env=someone.environment, stdout=output, stderr=output
        )
    try:
        wait_until_it_plays(demo, log)
        yield someone
    finally:
        demo.send_signal(signal.SIGTERM)
        code = demo.wait(PATIENCE_SECONDS)
    said = log.read_text()
    shutil.rmtree(folder)
    assert code == 0, said
    assert "Traceback" not in said


def clone(checkout: Path) -> Path:
    """What git would bring, with what is not committed yet; and the pages, where they are built, since that takes a minute."""
    listed = subprocess.run(
        [*["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, checkout / name)
    built = "src/audience_gql/pages/built"
    if (ROOT / built).is_dir():
        shutil.copytree(ROOT / built, checkout / built)
    return checkout


def environment_of(folder: Path) -> dict[str, str]:
    """A shell that knows nothing of this project, and keeps its state in the folder."""
    ours = ("DATABASE_URL", "REDIS_URL", "AUDIENCE_", "PYTEST_", "VIRTUAL_ENV", "PYTHONPATH")
    path = [it for it in os.environ["PATH"].split(os.pathsep) if Path(it) != Path(sys.executable).parent]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PATH": os.pathsep.join(path), "XDG_STATE_HOME": str(folder / "state")}


def wait_until_it_plays(demo: subprocess.Popen[bytes], log: Path) -> None:
    """Until somebody has entered, and everybody who bought lately is there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not any(
        int(it[0]) > 0 and int(it[2].replace(",", "")) > 1_000 for it in PLAYING.findall(log.read_text())
    ):
        if demo.poll() is not None or time.monotonic() > deadline:
            said = log.read_text()
            leave_out("the package registry does not answer") if "pip failed" in said else pytest.fail(said)
        time.sleep(0.5)


def leave_out(reason: str) -> None:
    (pytest.fail if os.environ.get("AUDIENCE_REQUIRE_NEWCOMER") else pytest.skip)(reason)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("command", [*to_be_run()], ids=str)
def test_a_command_does_what_the_page_says(newcomer, command):
    if "take_" in command.text and not Path("/usr/bin/chromium").exists():
        pytest.skip("there is no Chromium here")
    said = newcomer.types(command)
    if "members(first: 3)" in command.text:
        said = asked_until_ready(newcomer, command, said)

    for part, expected in SAYS.items():
        if part in shortened(command.text):
            assert re.search(expected, said, re.MULTILINE), said
    assert "Traceback" not in said


def asked_until_ready(newcomer: Newcomer, command: Command, said: str) -> str:
    """As the README says: an answer of few people, or none, tells why."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (state := json.loads(said)["data"]["segment"]["state"]) != "READY":
        assert state == "COMPUTING"
        assert time.monotonic() < deadline, said
        said = newcomer.types(command)
    return said


@pytest.mark.parametrize("pattern", LEFT_OUT)
def test_what_is_left_out_is_on_some_page(pattern):
    assert any(re.match(pattern, command.text) for command in commands())
