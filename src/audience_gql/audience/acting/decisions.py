"""Decides from the log which runs of an automation begin, act, are cancelled or refused. Pure: it reads and writes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from audience_gql.audience.acting.automation import Automation, firing_cause
from audience_gql.storage.acting.runs import EndedRun, History, ReadChange, RunState, WaitingRun

DEEPEST: Final = 8
"""How many automations may follow from each other."""
MOST_A_MINUTE: Final = 20
"""How often an automation may act for one person within a minute."""
MINUTE: Final = timedelta(minutes=1)
EXISTING: Final = "EXISTING"
"""The cause of a run for somebody who was a member before."""

_TOO_DEEP: Final = f"the change is the work of {DEEPEST} automations that followed from each other"
_TOO_OFTEN: Final = f"the automation has acted {MOST_A_MINUTE} times within a minute for this person"


class Beginning(NamedTuple):
    """A run that begins: it acts now, waits for the end of its hold, or is refused at once."""

    subscriber_id: int
    state: RunState
    """DONE for a run that acts now, unless acting fails."""
    reason: str | None
    entered: bool
    cause: str
    sequence: int | None
    origin: int
    started_at: datetime
    due_at: datetime | None


@dataclass(slots=True)
class Decided:
    beginning: list[Beginning] = field(default_factory=list)
    ending: list[EndedRun] = field(default_factory=list)
    """Waiting runs that are cancelled."""
    acting: list[WaitingRun] = field(default_factory=list)
    """Waiting runs whose hold is over."""


class Decisions:
    """The decisions of one automation about the next part of a bucket's log."""

    def __init__(
        self, automation: Automation, waiting: Iterable[WaitingRun], histories: Mapping[int, History]
    ) -> None:
        self._automation = automation
        self._rules = automation.rules
        self._histories = histories
        self._waiting = {run.subscriber_id: run for run in waiting}
        self._held: dict[int, int] = {}
        """By person, the place among the beginnings of a run that waits."""
        self._acted: set[int] = set()
        self._decided = Decided()

    def read(self, changes: Sequence[ReadChange]) -> int:
        """Decide about changes in the order of the log. Returns how many were decided.

        It stops at a person for whom a run acts already: how that run ends may decide about the next one.
        """
        for count, change in enumerate(changes):
            if change.subscriber_id in self._acted:
                return count
            self._end_hold(change)
            cause = firing_cause(change.cause, change.origin)
            if self._automation.trigger.fires_on(change.entered) and cause in self._rules.causes:
                self._begin(
                    change.subscriber_id,
                    entered=change.entered,
                    cause=change.cause,
                    sequence=change.sequence,
                    origin=max(change.origin, 0),
                    at=change.occurred_at,
                )
        return len(changes)

    def begin_existing(self, people: Collection[int], now: datetime) -> None:
        """Begin a run for each of these people, who are members already."""
        for person in people:
            self._begin(person, entered=True, cause=EXISTING, sequence=None, origin=0, at=now)

    def end_holds(self) -> None:
        """Let the waiting runs act whose hold is over. Call this only when the log is read to its end."""
        for run in self._waiting.values():
            if run.is_over:
                self._act(run)

    def decided(self) -> Decided:
        return self._decided

    def _end_hold(self, change: ReadChange) -> None:
        """A change in the other direction ends a hold: the run acts if the person had stayed long enough, and is cancelled otherwise."""
        run = self._waiting.get(change.subscriber_id)
        if run is not None and run.entered != change.entered:
            del self._waiting[change.subscriber_id]
            if _had_held(run.due_at, change):
                self._act(run)
            else:
                self._decided.ending.append(EndedRun(run.id, "CANCELLED", _why_cancelled(change)))
        place = self._held.get(change.subscriber_id)
        if place is not None and (begun := self._decided.beginning[place]).entered != change.entered:
            del self._held[change.subscriber_id]
            if begun.due_at is not None and _had_held(begun.due_at, change):
                self._decided.beginning[place] = begun._replace(state="DONE")
                self._acted.add(change.subscriber_id)
            else:
                reason = _why_cancelled(change)
                self._decided.beginning[place] = begun._replace(state="CANCELLED", reason=reason)

    def _act(self, run: WaitingRun) -> None:
        self._decided.acting.append(run)
        self._acted.add(run.subscriber_id)

    def _begin(
        self, person: int, *, entered: bool, cause: str, sequence: int | None, origin: int, at: datetime
    ) -> None:
        state, reason = self._first_state(person, origin, at)
        due_at = None if self._rules.hold is None else at + self._rules.hold.length
        if state == "WAITING":
            self._held[person] = len(self._decided.beginning)
        elif state == "DONE":
            self._acted.add(person)
        self._decided.beginning.append(
            Beginning(person, state, reason, entered, cause, sequence, origin, at, due_at)
        )

    def _first_state(self, person: int, origin: int, at: datetime) -> tuple[RunState, str | None]:
        if origin >= DEEPEST:
            return "CUT_OFF", _TOO_DEEP
        history = self._histories.get(person)
        if history is not None:
            reentry = self._rules.reentry
            if reentry.is_once:
                return "SKIPPED", "the automation acts once for each person"
            if reentry.once_in is not None and history.last_at > at - reentry.once_in.length:
                return "SKIPPED", f"the automation acts at most once in {reentry.once_in.words()}"
            if history.runs >= MOST_A_MINUTE:
                return "CUT_OFF", _TOO_OFTEN
        return ("DONE" if self._rules.hold is None else "WAITING"), None


def _had_held(due_at: datetime, change: ReadChange) -> bool:
    """Whether the membership is known to have lasted until `due_at`, although it changed later."""
    return change.unchanged_at is not None and due_at <= change.unchanged_at


def _why_cancelled(change: ReadChange) -> str:
    went = "came back" if change.entered else "left"
    return f"the person {went} before the hold was over"
