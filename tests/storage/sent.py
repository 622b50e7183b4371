"""A pytest plugin that records every statement that the application sends during a run, and checks all of them at the end.

It sees statements as the driver gets them, however they are composed. A statement that no test sends is not checked.
Each process records its own statements; the main process checks all of them.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from unittest.mock import patch

import asyncpg
import pytest

import audience_gql
from tests.storage.fitness import CONTROL, problems
from tests.storage.whole_reads import asks_whole_workspaces, line_of, refused, tried
from tests.storage.written import FOLDER, never_on_a_cluster, places, written_statements

_SOURCE = str(Path(audience_gql.__file__).parent)
_CONNECTIONS = str(FOLDER / "postgres" / "connections.py")
"""It passes the statements of all others on."""
_TESTS = str(Path(__file__).parents[1])
_METHODS = (
    "copy_records_to_table",
    "cursor",
    "execute",
    "executemany",
    "fetch",
    "fetchrow",
    "fetchval",
    "prepare",
)
_DOORS = frozenset({"Database.fetch", "Database.fetchrow", "Database.fetchval"})
"""Methods that tests call, too."""
_DOOR_FILES = frozenset({"database.py", "pool.py", "connections.py", "orm_client.py"})
"""They send what others have composed."""

_MOST_A_SENDER = 20
"""How many kinds of statements a process keeps of one place in the source. Random conditions compile to thousands of kinds, all by the
same rules, and judging them took longer than sending them."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The application's code that sends a statement, as far as its stack tells."""

    functions: frozenset[str]
    lines: frozenset[tuple[str, int]]
    """The lines of the storage package."""
    name: str
    """The file below the storage package and the function that sends it, such as `reads/log.py:heads`."""
    elsewhere: str | None
    """The file that sends it, if neither storage nor the ORM does."""

    @property
    def counts(self) -> bool:
        """Whether its statements are recorded. Those that a test or a migration sends are not."""
        return not self.functions <= _DOORS and "migrate" not in self.functions

    @property
    def is_on_clusters(self) -> bool:
        return not self.lines & never_on_a_cluster()


@dataclass(slots=True)
class Sent:
    """The recorded statements, one of each kind, and the lines of the storage package that sent them."""

    by_kind: dict[str, str] = field(default_factory=dict)
    lines: set[tuple[str, int]] = field(default_factory=set)
    senders: dict[str, str] = field(default_factory=dict)
    """The place in the source that sent a kind of statement to a cluster, or would."""
    from_elsewhere: set[tuple[str, str]] = field(default_factory=set)
    """(file, statement) for each statement that neither storage nor the ORM sent."""
    answered: set[str] = field(default_factory=set)
    """The kinds that a cluster has answered, in a run on a cluster."""
    _kinds_of: dict[frozenset[tuple[str, int]], set[str]] = field(default_factory=dict)

    def note(self, text: str) -> str | None:
        """Record a statement if the application's code sends it, and return its kind. Statements that a test sends itself do not count."""
        sender = _sender()
        if not sender.counts or "pg_sleep" in text:
            return None
        kind = _kind_of(text)
        self.lines |= sender.lines
        kinds = self._kinds_of.setdefault(sender.lines, set())
        if len(kinds) < _MOST_A_SENDER:
            kinds.add(kind)
            self.by_kind.setdefault(kind, text)
            if sender.is_on_clusters:
                self.senders.setdefault(kind, sender.name)
        if sender.elsewhere is not None:
            self.from_elsewhere.add((sender.elsewhere, text))
        return kind

    def add(self, other: Sequence[Sequence[Any]]) -> None:
        texts, lines, from_elsewhere, senders, answered = other
        self.answered |= set(answered)
        self.by_kind |= {_kind_of(text): text for text in texts}
        self.senders |= dict(senders)
        self.lines |= {(file, line) for file, line in lines}
        self.from_elsewhere |= {(file, text) for file, text in from_elsewhere}

    def as_plain(self) -> list[list[Any]]:
        return [
            list(self.by_kind.values()),
            list(self.lines),
            list(self.from_elsewhere),
            [*self.senders.items()],
            list(self.answered),
        ]

    def judged(self) -> Iterator[str]:
        written = {text for _, text in written_statements()}  # judged by test_sql_scope.py
        for kind, text in self.by_kind.items():
            found = problems(text)
            if not found and kind in self.senders and text not in written:
                found = [*refused(self.senders[kind], text, is_written=False)]
            for problem in found:
                yield f"{problem}: {text}"
        for file, text in sorted(self.from_elsewhere):
            if CONTROL.fullmatch(text.strip()):
                continue  # whoever ends a transaction need not have sent its statements
            yield f"is sent by {file}, outside of storage: {text}"

    def tried(self) -> set[str]:
        """The lines for whole_reads.toml of the statements that the cluster of this run has answered."""
        names = {text: name for name, text in written_statements()}
        return {
            line_of(names.get(text, self.senders[kind]), text, is_written=text in names)
            for kind, text in self.by_kind.items()
            if kind in self.answered and kind in self.senders and asks_whole_workspaces(text)
        }

    def unseen(self) -> Iterator[str]:
        """The places in the source that compose a statement, but never sent one."""
        for place in places():
            if place.text is None and not any(
                file == place.file and place.first <= line <= place.last for file, line in self.lines
            ):
                yield f"{place} puts a statement together that no test sends"


class SentStatements:
    """The plugin. A run of all tests also fails if a place in the source never sent its statement."""

    def __init__(self) -> None:
        self._sent = Sent()
        self._patches = ExitStack()
        self._found: list[str] = []
        self._missing: list[str] = []

    def pytest_sessionstart(self) -> None:
        for name in _METHODS:
            self._patches.enter_context(patch.object(asyncpg.Connection, name, _noting(self._sent, name)))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:  # Any: xdist has no public name for it
        if told := getattr(node, "workeroutput", {}).get("sent_statements"):
            self._sent.add(told)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._patches.close()
        if hasattr(session.config, "workerinput"):
            session.config.workeroutput["sent_statements"] = self._sent.as_plain()  # type: ignore[attr-defined]  # xdist adds it
            return
        if "CITUS_URL" in os.environ:
            self._missing = sorted(self._sent.tried() - tried())
            return
        self._found = list(self._sent.judged())
        if _is_whole(session.config):
            self._found += self._sent.unseen()
        if self._found and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._missing:
            terminalreporter.section("TRIED ON THIS CLUSTER, AND NOT IN whole_reads.toml")
            for line in self._missing:
                terminalreporter.write_line(f'  "{line}",')
        if self._found:
            terminalreporter.section("STATEMENTS UNFIT FOR A DISTRIBUTED POSTGRES", red=True, bold=True)
            for line in self._found[:50]:
                terminalreporter.write_line(line, red=True)
        elif terminalreporter.config.option.verbose >= 0:
            terminalreporter.write_line(f"{len(self._sent.by_kind)} kinds of statements sent, all fit")


def _is_whole(config: pytest.Config) -> bool:
    is_selected = config.option.keyword or config.option.markexpr
    return config.args_source == pytest.Config.ArgsSource.TESTPATHS and not is_selected


def _noting(sent: Sent, name: str) -> Callable[..., Any]:
    method = getattr(asyncpg.Connection, name)

    def noting(connection: asyncpg.Connection, given: str, *values: Any, **options: Any) -> Any:
        sent.note(given if name != "copy_records_to_table" else as_insert(given, options.get("columns")))
        return method(connection, given, *values, **options)

    async def awaiting(connection: asyncpg.Connection, given: str, *values: Any, **options: Any) -> Any:
        kind = sent.note(given)
        answer = await method(connection, given, *values, **options)
        if kind is not None:
            sent.answered.add(kind)
        return answer

    return awaiting if "CITUS_URL" in os.environ and name.startswith(("execute", "fetch")) else noting


def as_insert(table: str, columns: Sequence[str] | None) -> str:
    """An INSERT that is equivalent to a COPY."""
    listed = "" if columns is None else f" ({', '.join(columns)})"
    return (
        f"INSERT INTO {table}{listed} VALUES ({', '.join(f'${n}' for n, _ in enumerate(columns or 'x', 1))})"
    )


@lru_cache(1_000)
def _kind_of(text: str) -> str:
    return re.sub(r"\d+", "0", text)


_SENDERS: dict[tuple[int, ...], Sender] = {}
"""By the ids of the functions on the stack, each with how far it has come."""
_FUNCTIONS: dict[int, CodeType] = {}
"""By their ids. They are kept, so that no id is used again."""


def _sender() -> Sender:
    """Whose code sends a statement now. Thousands are sent each second, so a stack that was seen before is not looked at again."""
    frame: FrameType | None = sys._getframe(2)
    seen: list[int] = []
    while frame is not None:
        number = id(frame.f_code)
        if number not in _FUNCTIONS:
            if _is_of_a_test(frame.f_code):
                break
            _FUNCTIONS[number] = frame.f_code
        seen.append(number)
        seen.append(frame.f_lasti)
        frame = frame.f_back
    key = tuple(seen)
    if key not in _SENDERS:
        _SENDERS[key] = _sender_of([*_stack(sys._getframe(2), len(seen) // 2)])
    return _SENDERS[key]


def _is_of_a_test(code: CodeType) -> bool:
    return code.co_filename.startswith(_TESTS) and code.co_filename != __file__


def _stack(frame: FrameType | None, depth: int) -> Iterator[tuple[str, int, str]]:
    """(file, line, function) of so many calls, from the innermost one outwards."""
    for _ in range(depth):
        assert frame is not None
        yield frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname
        frame = frame.f_back


def _sender_of(stack: Sequence[tuple[str, int, str]]) -> Sender:
    ours = [
        (Path(file), line, function)
        for file, line, function in stack
        if file.startswith(_SOURCE) and file != _CONNECTIONS
    ]
    lines = frozenset((file.name, line) for file, line, _ in ours if file.is_relative_to(FOLDER))
    is_elsewhere = ours and not lines and not any("/tortoise/" in file for file, _, _ in stack)
    return Sender(
        functions=frozenset(function for _, _, function in ours),
        lines=lines,
        name=_name_of(ours),
        elsewhere=ours[0][0].name if is_elsewhere else None,
    )


def _name_of(ours: Sequence[tuple[Path, int, str]]) -> str:
    """Of the innermost function that is not one of the doors."""
    for file, _, function in ours:
        if file.name not in _DOOR_FILES:
            below = file.relative_to(FOLDER) if file.is_relative_to(FOLDER) else file.relative_to(_SOURCE)
            return f"{below}:{function.partition('.<locals>')[0]}"
    return ""
