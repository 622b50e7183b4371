"""What the last minute brought, segment by segment, as a table for a terminal and as a line for a log."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import Final

from rich.table import Table

from audience_gql.demo.audience_feed import Heard

_MINUTE: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Change:
    at: float
    heard: Heard
    latency: float | None
    """Seconds from the commit of the purchase that caused it; of one that the clock caused there is none."""


class Scoreboard:
    """Instants are seconds of any one clock, given by the caller."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self._changes: deque[_Change] = deque()
        self._committed: dict[str, float] = {}
        self._last = ""

    def purchased(self, external_id: str, dollars: object, committed_at: float) -> None:
        """A purchase was committed."""
        self._committed[external_id] = committed_at
        self._last = f"customer {external_id} spent {dollars} dollars"

    def changed(self, heard: Heard, now: float) -> None:
        """A change came from the socket. The first members of a segment have not moved, and are passed over."""
        if heard.cause == "DEFINITION":
            return
        committed_at = self._committed.get(heard.external_id or "") if heard.cause != "CLOCK" else None
        latency = None if committed_at is None else max(0.0, now - committed_at)
        self._changes.append(_Change(now, heard, latency))

    def table(self, now: float) -> Table:
        self._forget(now)
        table = Table(caption=self._last or None, caption_justify="left")
        table.add_column("segment")
        for title in ("people", "entered", "left", "commit to socket"):
            table.add_column(title, justify="right")
        for name, size in self.sizes.items():
            table.add_row(name, f"{size:,}", *self._counts(name), self._latency(name))
        table.add_section()
        table.add_row("in the last minute", "", *self._counts(None), self._latency(None))
        return table

    def line(self, now: float) -> str:
        """The same in short, for who reads a log."""
        self._forget(now)
        entered, left = self._counts(None)
        sizes = ", ".join(f"{name} {size:,}" for name, size in self.sizes.items())
        return f"last minute: {entered} entered, {left} left, commit to socket {self._latency(None) or 'n/a'}; {sizes}"

    def _counts(self, segment: str | None) -> tuple[str, str]:
        kinds = [change.heard.has_entered for change in self._of(segment)]
        return str(kinds.count(True)), str(kinds.count(False))

    def _latency(self, segment: str | None) -> str:
        found = [change.latency for change in self._of(segment) if change.latency is not None]
        return f"{1000 * median(found):.0f} ms" if found else ""

    def _of(self, segment: str | None) -> list[_Change]:
        return [change for change in self._changes if segment in (None, change.heard.segment)]

    def _forget(self, now: float) -> None:
        while self._changes and self._changes[0].at < now - _MINUTE:
            self._changes.popleft()
        self._committed = {person: at for person, at in self._committed.items() if at >= now - _MINUTE}
