"""Lets callers who read by the same statement at the same time share one: it reads for all who came while the one before it was under way.

Only callers with the same token share, so that no token waits for the statement of another.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from typing import Any, Final, TypeAlias

from audience_gql.storage.postgres.database import Database
from audience_gql.storage.turns.fair_queue import Asker, present_asker
from audience_gql.telemetry import traces

Values: TypeAlias = tuple[Any, ...]  # Any: the parameters' own types

MOST_CALLERS: Final = 16
"""The most callers for whom one statement reads."""
_PATIENCE_SECONDS: Final = 0.005
"""How long callers wait for the statement before theirs. If it takes longer, theirs begins beside it."""
_PLACEHOLDER: Final = re.compile(r"\$([2-9]|\d\d+)::(\w+)")


class Sharing:
    """The callers of one answer."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines: dict[tuple[Database, Asker | None, str], _Line] = {}
        """By what the callers of a line have in common. A line is here while anybody reads or waits in it."""

    async def read(self, database: Database, text: str, values: Values) -> str | None:
        """The text that this statement gives for these values. The first value must be the same in all calls with this statement.

        The statement begins after the call, so that it sees everything that was committed before.
        """
        key = database, present_asker(), text
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(database, text)
        try:
            return await line.read(values)
        finally:
            if line.is_empty() and self._lines.get(key) is line:
                del self._lines[key]


class _Turn(Enum):
    """What a caller is woken for."""

    FIRST = "It reads for all who wait."
    SERVED = "Its text is there."
    ALONE = "It reads for itself, because the statement for all failed."


class _Caller:
    """Somebody who waits."""

    __slots__ = ("found", "reader", "turn", "values")

    def __init__(self, values: Values) -> None:
        self.values = values
        self.turn: asyncio.Future[_Turn] = asyncio.get_running_loop().create_future()
        self.found: str | None = None
        self.reader: str | None = None
        """The span of the caller who read for this one, if it is written."""

    def is_woken_for(self, turn: _Turn) -> bool:
        return self.turn.done() and not self.turn.cancelled() and self.turn.result() is turn


class _Line:
    """Those who read by one statement for one token, and those who wait."""

    __slots__ = ("_database", "_is_called", "_text", "_timer", "_under_way", "_waiting")

    def __init__(self, database: Database, text: str) -> None:
        self._database = database
        self._text = text
        self._under_way = 0
        self._waiting: list[_Caller] = []
        self._is_called = False
        """Whether one of those who wait was woken to read for all, and has not begun."""
        self._timer: asyncio.TimerHandle | None = None

    def is_empty(self) -> bool:
        return not self._under_way and not self._waiting

    async def read(self, values: Values) -> str | None:
        caller = None
        if not self.is_empty():
            caller = _Caller(values)
            turn = await (self._turn_of(caller) if traces.current is None else self._traced_turn_of(caller))
            if turn is _Turn.SERVED:
                return caller.found
            if turn is _Turn.ALONE:
                return await self._for_one(values)
        self._under_way += 1
        try:
            return await (self._for_one(values) if caller is None else self._for_all(caller))
        finally:
            self._under_way -= 1
            self._call_first()

    async def _traced_turn_of(self, caller: _Caller) -> _Turn:
        """The same, with a span for the wait: no statement of this caller says why its operation took so long."""
        begun = time.time_ns()
        try:
            return await self._turn_of(caller)
        finally:
            if traces.current is not None:
                traces.current.note_wait(self._text, begun, caller.reader)

    async def _turn_of(self, caller: _Caller) -> _Turn:
        self._waiting.append(caller)
        self._be_patient()
        try:
            return await caller.turn
        except BaseException:
            if caller in self._waiting:
                self._waiting.remove(caller)
            if caller.is_woken_for(_Turn.FIRST):  # at the same moment
                self._is_called = False
                self._call_first()
            raise

    async def _for_all(self, caller: _Caller) -> str | None:
        """Read for all who wait, of whom this caller is the first."""
        group = self._group(caller)
        values = [*dict.fromkeys(it.values for it in group)]
        try:
            texts = dict(zip(values, await self._for_each(values), strict=True))
        except Exception:  # noqa: BLE001  # everybody meets it again, if it is theirs
            for other in group[1:]:
                _wake(other, _Turn.ALONE)
            return await self._for_one(caller.values)
        except BaseException:
            self._waiting[:0] = [it for it in group[1:] if not it.turn.done()]
            raise
        reader = traces.trace_to_leave()
        for other in group[1:]:
            other.found, other.reader = texts[other.values], reader
            _wake(other, _Turn.SERVED)
        return texts[caller.values]

    def _group(self, caller: _Caller) -> list[_Caller]:
        """This caller, and then those who have waited longest. Others may be before it: those whose reader has gone since it was woken."""
        self._is_called = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        others = [it for it in self._waiting if not it.turn.done()]
        self._waiting = others[MOST_CALLERS - 1 :]
        if self._waiting:
            self._be_patient()
        return [caller, *others[: MOST_CALLERS - 1]]

    def _be_patient(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._lose_patience)

    def _lose_patience(self) -> None:
        self._timer = None
        self._call_first()

    def _call_first(self) -> None:
        if self._is_called:
            return
        for caller in self._waiting:
            if _wake(caller, _Turn.FIRST):
                self._is_called = True
                return

    async def _for_one(self, values: Values) -> str | None:
        found: str | None = await self._database.fetchval(self._text, *values)
        return found

    async def _for_each(self, values: Sequence[Values]) -> list[str | None]:
        """The text for each of these different values."""
        if len(values) == 1:
            return [await self._for_one(values[0])]
        rows = 1 << (len(values) - 1).bit_length()
        common, *parts = zip(*values, strict=True)
        missing = [None] * (rows - len(values))
        columns = [[*part, *missing] for part in parts]
        found = await self._database.fetch(for_many(self._text, rows), common[0], *columns)
        return [row[0] for row in found[: len(values)]]


@lru_cache(256)
def for_many(text: str, rows: int) -> str:
    """The statement that gives one row for each of so many values of its parameters, which are arrays now. `$1` is the same for all rows.

    The number is part of the text, because Postgres would otherwise plan every execution again (see `parents_of_page`). Missing values are null.
    """
    of_each = _PLACEHOLDER.sub(r"($\1::\2[])[caller.n]", text)
    return f"SELECT ({of_each}) FROM generate_series(1, {rows:d}) AS caller (n) ORDER BY caller.n"


def _wake(caller: _Caller, turn: _Turn) -> bool:
    """Returns False if the caller has gone, or is woken already."""
    if caller.turn.done():
        return False
    caller.turn.set_result(turn)
    return True
