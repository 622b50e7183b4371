"""The changes of the last minute by list, and what the automations have done, as a table for a terminal and as a line for a log."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from audience_gql.demo.audience_feed import Acting, Heard, State

_MINUTE: Final = 60.0
_PURCHASES_SHOWN: Final = 4


@dataclass(frozen=True, slots=True)
class _Change:
    at: float
    heard: Heard
    latency: float | None
    """Seconds from the commit of the purchase that caused the change; None when the clock caused it."""


@dataclass(frozen=True, slots=True)
class _Purchase:
    external_id: str
    dollars: object
    committed_at: float
    consequences: list[Heard] = field(default_factory=list)


class Scoreboard:
    """The purchases and changes of the last minute. Instants are seconds of one clock that the caller chooses."""

    def __init__(self) -> None:
        self.state: State | None = None
        """What is known about the lists; None before the first answer."""
        self._begun = False
        self._changes: deque[_Change] = deque()
        self._purchases: dict[str, _Purchase] = {}
        """By external id, the customer's newest purchase within the last minute."""
        self._shown: deque[_Purchase] = deque(maxlen=_PURCHASES_SHOWN)

    def purchased(self, external_id: str, dollars: object, committed_at: float) -> None:
        """Note a committed purchase."""
        purchase = _Purchase(external_id, dollars, committed_at)
        self._purchases[external_id] = purchase
        self._shown.append(purchase)

    def changed(self, heard: Heard, now: float) -> None:
        """Note a change from the socket. Changes by a segment's first fill are ignored."""
        if heard.cause == "DEFINITION":
            return
        purchase = self._purchases.get(heard.external_id or "") if heard.cause != "CLOCK" else None
        latency = None if purchase is None else max(0.0, now - purchase.committed_at)
        self._changes.append(_Change(now, heard, latency))
        if purchase is not None:
            purchase.consequences.append(heard)

    def table(self, now: float) -> RenderableType:
        """The lists with the changes of the last minute, the automations, and the last purchases with the changes that they caused.

        Until the segments have found their members for the first time, it is one line that says so.
        """
        self._forget(now)
        state = self._begun_with()
        if state is None:
            return Text(f" {self._waiting()}")
        table = Table(box=box.ROUNDED, header_style="bold", footer_style="bold", show_footer=True)
        entered, left, latency = self._cells(None)
        table.add_column("list", "in the last minute")
        table.add_column("people", justify="right")
        table.add_column("entered", entered, justify="right")
        table.add_column("left", left, justify="right")
        table.add_column("commit to socket", latency, justify="right")
        for name, size in state.sizes.items():
            table.add_row(name, f"{size:,}", *self._cells(name))
        clock = Text(f" by the clock alone, without any purchase: {self._by_clock()}", "dim")
        return Group(table, clock, *map(_acted, state.automations), *map(_told, self._shown))

    def line(self, now: float) -> str:
        """A summary in one line, for a log."""
        self._forget(now)
        state = self._begun_with()
        if state is None:
            return self._waiting()
        entered, left = self._counts(None)
        sizes = ", ".join(f"{name} {size:,}" for name, size in state.sizes.items())
        runs = sum(each.runs for each in state.automations)
        return (
            f"last minute: {entered} entered, {left} left, {self._by_clock()} of them by the clock, "
            f"commit to socket {self._latency(None) or 'n/a'}; {sizes}; {runs:,} runs"
        )

    def _begun_with(self) -> State | None:
        """The state, from the first one on in which no segment was being filled."""
        self._begun = self._begun or (self.state is not None and not self.state.filling)
        return self.state if self._begun else None

    def _waiting(self) -> str:
        if self.state is None:
            return "Connecting to the websocket"
        return f"Finding the members of the segments: {self.state.filling} to go"

    def _by_clock(self) -> int:
        return sum(change.heard.cause == "CLOCK" for change in self._changes)

    def _cells(self, name: str | None) -> tuple[Text, Text, str]:
        entered, left = self._counts(name)
        return (
            Text(str(entered), "green" if entered else "dim"),
            Text(str(left), "red" if left else "dim"),
            self._latency(name),
        )

    def _counts(self, name: str | None) -> tuple[int, int]:
        kinds = [change.heard.has_entered for change in self._of(name)]
        return kinds.count(True), kinds.count(False)

    def _latency(self, name: str | None) -> str:
        found = [change.latency for change in self._of(name) if change.latency is not None]
        return f"{1000 * median(found):.0f} ms" if found else ""

    def _of(self, name: str | None) -> list[_Change]:
        return [change for change in self._changes if name in (None, change.heard.name)]

    def _forget(self, now: float) -> None:
        while self._changes and self._changes[0].at < now - _MINUTE:
            self._changes.popleft()
        self._purchases = {
            person: purchase
            for person, purchase in self._purchases.items()
            if purchase.committed_at >= now - _MINUTE
        }


def _acted(automation: Acting) -> Text:
    acted = Text(no_wrap=True, overflow="ellipsis")
    acted.append(f" automation {automation.name}: {automation.runs:,} runs", "bold")
    return acted.append(f". {automation.summary}", "dim")


def _told(purchase: _Purchase) -> Text:
    told = Text(no_wrap=True, overflow="ellipsis")  # a table whose height changes is hard to read
    told.append(f" customer {purchase.external_id} spent {purchase.dollars} dollars", "dim")
    for verb, style, names in (
        ("entered", "green", _names(purchase.consequences, has_entered=True)),
        ("left", "red", _names(purchase.consequences, has_entered=False)),
    ):
        if names:
            told.append(", ", "dim").append(f"{verb} {' and '.join(names)}", style)
    return told


def _names(consequences: Collection[Heard], *, has_entered: bool) -> list[str]:
    return [heard.name for heard in consequences if heard.has_entered is has_entered]
