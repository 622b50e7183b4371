"""Finds and ends the servers that work in a state folder, no matter who started them.

It uses only the kernel's list of processes and must not trust pid files, because pids are reused. A process counts when
its program is one of the servers' and an argument of its command line is inside the folder.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

STOP_SIGNALS: Mapping[str, tuple[signal.Signals, ...]] = {
    "postgres": (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL),  # fast, immediate, forced
    "initdb": (signal.SIGTERM, signal.SIGKILL),
    "valkey-server": (signal.SIGTERM, signal.SIGKILL),
}
"""The servers' programs, each with the signals that stop it, from polite to forced."""

PATIENCE_SECONDS = 10.0
"""The time between one signal and the next. A fast shutdown of Postgres writes a checkpoint first."""

POLL_SECONDS = 0.02

PROCESSES = Path("/proc")


@dataclass(frozen=True, slots=True)
class Leftover:
    """A running process that works in the folder."""

    pid: int
    program: str


def stop_leftovers(folder: Path) -> None:
    """Stops all servers of the folder, and returns when none runs."""
    for attempt in range(max(map(len, STOP_SIGNALS.values()))):
        leftovers = find_leftovers(folder)
        for leftover in leftovers:
            signals = STOP_SIGNALS[leftover.program]
            with suppress(ProcessLookupError):
                os.kill(leftover.pid, signals[min(attempt, len(signals) - 1)])
        if not leftovers or _are_gone(folder):
            return


def find_leftovers(folder: Path) -> list[Leftover]:
    """The servers of the folder that are running now."""
    return list(
        leftovers_among(_processes(), folder) if PROCESSES.is_dir() else leftovers_among(_ps(), folder, " ")
    )


def leftovers_among(
    command_lines: Iterable[tuple[int, str]], folder: Path, separator: str = "\0"
) -> Iterator[Leftover]:
    """The processes of the servers' programs that have an argument inside the folder."""
    ours = re.compile(
        rf"(?:[^\0]*/)?({'|'.join(STOP_SIGNALS)}){separator}(?:.*{separator})?{re.escape(f'{folder}/')}",
        re.DOTALL,
    )
    for pid, line in command_lines:
        if match := ours.match(line):
            yield Leftover(pid, match[1])


def is_alive(pid: int) -> bool:
    """Whether any process has this pid, not necessarily a server."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _processes() -> Iterator[tuple[int, str]]:
    for entry in PROCESSES.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # the process ended in the meantime
                yield int(entry.name), os.fsdecode((entry / "cmdline").read_bytes())


def _ps() -> Iterator[tuple[int, str]]:
    """The pids and command lines on systems without /proc, such as macOS. `ps` joins the arguments with spaces."""
    listing = subprocess.run(["/bin/ps", "-axww", "-o", "pid=,command="], capture_output=True, check=True)
    for line in listing.stdout.splitlines():
        pid, _, command = os.fsdecode(line.strip()).partition(" ")
        yield int(pid), command.strip()


def _are_gone(folder: Path) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while find_leftovers(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)  # they are not children of this process, so it cannot wait for them
    return True
