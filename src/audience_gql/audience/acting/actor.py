"""Acts for one automation in one bucket: reads the log from its place, decides, writes the runs and their effects, and moves the place.

All of it is one transaction under the lock of the place, so each change is acted on exactly once. The bucket itself stays unlocked.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from audience_gql.audience.acting.automation import Automation, Webhook
from audience_gql.audience.acting.decisions import MINUTE, Beginning, Decided, Decisions
from audience_gql.audience.acting.effects import Effects
from audience_gql.audience.acting.matching import matching_people
from audience_gql.audience.acting.telling import ToldRun, tell
from audience_gql.audience.ports import Ports
from audience_gql.storage.acting import automations, runs
from audience_gql.storage.acting.runs import EndedRun, NewRun, Place, RunState, Unread, WaitingRun
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.people import facts
from audience_gql.storage.postgres.database import BUSY, UNREACHABLE, Connection, Transaction

CHANGES_A_STEP: Final = 500
_ERASED: Final = "the person was erased"
_FAULT: Final = "an unexpected error, which the worker's log describes"
_UNMATCHED: Final = "the person did not match the automation's condition"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """What one step did."""

    runs: int
    """How many runs began or ended."""
    has_more: bool
    """Whether the automation has more to do in this bucket now."""


@dataclass(slots=True, kw_only=True)
class _Acting:
    """A run that acts in this step: a new one, or one whose hold is over."""

    run_id: int
    subscriber_id: int
    entered: bool
    cause: str
    occurred_at: datetime
    sequence: int | None
    """None for a change that was read in an earlier step."""
    depth: int
    is_new: bool
    state: RunState = "DONE"
    reason: str | None = None
    is_farewell: bool = False
    """Whether an erased person has left. The run performs no action, but its webhooks are sent."""


class Actor:
    """One per worker process. It keeps nothing between two steps."""

    def __init__(
        self,
        ports: Ports,
        *,
        posted: Callable[[int, Collection[int]], None] = lambda _bucket, _endpoints: None,
    ) -> None:
        """`posted` is called with a bucket and the endpoints for which something was committed to its outbox."""
        self._ports = ports
        self._posted = posted

    async def act(self, bucket_id: int) -> int:
        """Do everything that automations have to do in a bucket now. Returns the number of runs that began or ended."""
        async with self._ports.database.acquire() as connection:
            waiting = await runs.automations_with_work(connection, bucket_id)
        return sum([await self._act_for(bucket_id, automation_id) for automation_id in waiting])

    async def _act_for(self, bucket_id: int, automation_id: int) -> int:
        total, changes = 0, CHANGES_A_STEP
        while True:
            try:
                acted = await self.step(bucket_id, automation_id, changes)
            except (*UNREACHABLE, *BUSY):
                raise
            except Exception:  # a fault in one run must not stop the others
                if changes > 1:
                    changes = 1
                    continue
                logger.exception("automation %d failed in bucket %d", automation_id, bucket_id)
                acted = await self.step(bucket_id, automation_id, 1, failure=_FAULT)
            total += acted.runs
            if not acted.has_more:
                return total

    async def step(
        self, bucket_id: int, automation_id: int, changes: int = CHANGES_A_STEP, *, failure: str | None = None
    ) -> Acted:
        """Act on up to so many changes, holds and existing members. With `failure`, nothing is performed, and the runs are FAILED with it."""

        async def work(transaction: Transaction) -> Acted:
            connection = transaction.connection
            place = await runs.lock_place(connection, bucket_id, automation_id)
            row = None if place is None else await automations.active_automation(automation_id)
            if place is None or row is None:
                return Acted(runs=0, has_more=False)
            workspace = await Workspace.get(id=row.workspace_id)
            step = _Step(self._ports, transaction, workspace, bucket_id, Automation.of(row))
            acted, endpoint_ids = await step.run(place, changes, failure)
            if endpoint_ids:
                transaction.after_commit(lambda: self._posted(bucket_id, endpoint_ids))
            return acted

        return await self._ports.database.run(work)


class _Step:
    def __init__(
        self,
        ports: Ports,
        transaction: Transaction,
        workspace: Workspace,
        bucket_id: int,
        automation: Automation,
    ) -> None:
        self._ports = ports
        self._transaction = transaction
        self._connection: Connection = transaction.connection
        self._workspace = workspace
        self._bucket_id = bucket_id
        self._automation = automation

    async def run(self, place: Place, limit: int, failure: str | None) -> tuple[Acted, frozenset[int]]:
        """Returns what was done, and the endpoints that have something to send."""
        trigger = self._automation.trigger
        unread = await runs.unread(
            self._connection, self._bucket_id, trigger.list_kind, trigger.list_id, place.sequence, limit
        )
        now = await self._ports.clock.now(self._connection)
        decisions = await self._decisions(unread, limit, now)
        read = decisions.read(unread.changes)
        is_at_end = read < limit and read == len(unread.changes)
        if is_at_end:
            decisions.end_holds()
        existing_to = place.existing_to
        if is_at_end and read == 0 and existing_to is not None and place.is_filled:
            existing_to = await self._begin_existing(decisions, place, existing_to, unread.head, limit, now)
        decided = decisions.decided()
        endpoint_ids = await self._write(decided, place, now, failure)
        sequence = place.sequence if read == 0 else unread.changes[read - 1].sequence
        moved = replace(place, sequence=unread.head if is_at_end else sequence, existing_to=existing_to)
        count = len(decided.beginning) + len(decided.ending) + len(decided.acting)
        if read or count or existing_to != place.existing_to:
            await runs.move_place(
                self._connection,
                self._bucket_id,
                self._automation.id,
                sequence=moved.sequence,
                existing_to=moved.existing_to,
            )
        if count:
            workspace_ids = [self._workspace.id]
            self._transaction.after_commit(lambda: self._ports.signals.changed(workspace_ids))
        is_existing_left = (
            existing_to is not None and place.is_filled and (read > 0 or existing_to != place.existing_to)
        )
        has_more = not is_at_end or len(decided.acting) >= limit or is_existing_left
        return Acted(runs=count, has_more=has_more), endpoint_ids

    async def _decisions(self, unread: Unread, limit: int, now: datetime) -> Decisions:
        people = {change.subscriber_id for change in unread.changes}
        waiting = await runs.waiting_runs(
            self._connection, self._bucket_id, self._automation.id, people, unread.evaluated_through, limit
        )
        histories = await runs.histories(
            self._connection, self._bucket_id, self._automation.id, people, now - MINUTE
        )
        return Decisions(self._automation, waiting, histories)

    async def _begin_existing(
        self, decisions: Decisions, place: Place, after: int, head: int, limit: int, now: datetime
    ) -> int | None:
        """Begin runs for the next members. Returns the id up to which they have one; None after the last."""
        trigger = self._automation.trigger
        people = await runs.existing_members(
            self._connection, self._bucket_id, trigger.list_kind, trigger.list_id, after, head, limit
        )
        told = await runs.with_a_run(
            self._connection, self._bucket_id, self._automation.id, people, place.begun_after
        )
        decisions.begin_existing([person for person in people if person not in told], now)
        return people[-1] if len(people) == limit else None

    async def _write(
        self, decided: Decided, place: Place, now: datetime, failure: str | None
    ) -> frozenset[int]:
        ids = await self._ports.database.ids.take(len(decided.beginning), self._connection)
        begun = list(zip(ids, decided.beginning, strict=True))
        acting = [_resumed(run) for run in decided.acting]
        acting += [_started(id_, run) for id_, run in begun if run.state == "DONE"]
        await self._perform(acting, now, failure)
        states = {run.run_id: (run.state, run.reason) for run in acting}
        new = [_new_run(id_, run, states.get(id_)) for id_, run in begun]
        await runs.add_runs(
            self._connection, self._bucket_id, self._automation.id, self._automation.revision, new, now
        )
        ended = [EndedRun(run.run_id, run.state, run.reason) for run in acting if not run.is_new]
        await runs.end_runs(self._connection, self._bucket_id, [*decided.ending, *ended], now)
        return await tell(
            self._connection,
            bucket_id=self._bucket_id,
            automation=self._automation,
            runs=[_told(run) for run in acting if run.state == "DONE" or run.is_farewell],
            place=place.sequence,
            now=now,
        )

    async def _perform(self, acting: Sequence[_Acting], now: datetime, failure: str | None) -> None:
        """Perform the actions, and set the state and reason of each run."""
        if not acting:
            return
        if failure is not None:
            _end(acting, {run.subscriber_id: failure for run in acting}, "FAILED")
            return
        people = {run.subscriber_id for run in acting}
        there = await facts.lock_people(self._connection, self._bucket_id, people)
        self._take_leave(acting, people - there.keys())
        if self._automation.rules.only_if is not None:
            matching = await matching_people(
                self._connection,
                workspace_id=self._workspace.id,
                bucket_id=self._bucket_id,
                condition=self._automation.rules.only_if,
                people=there,
                now=now,
            )
            _end(acting, dict.fromkeys(there.keys() - matching, _UNMATCHED), "SKIPPED")
        for depth, chosen in _by_depth(acting).items():
            await self._perform_at(depth, chosen)

    def _take_leave(self, acting: Sequence[_Acting], erased: Collection[int]) -> None:
        """End the runs of erased people. Webhooks still say that they left, so that receivers can forget them as well."""
        has_webhook = any(isinstance(action, Webhook) for action in self._automation.actions)
        _end(acting, dict.fromkeys(erased, _ERASED), "SKIPPED")
        for run in acting:
            run.is_farewell = has_webhook and run.subscriber_id in erased and not run.entered

    async def _perform_at(self, depth: int, acting: Collection[_Acting]) -> None:
        """Perform the actions for runs of one depth. Nothing is kept of the actions for a person for whom one fails."""
        effects = Effects(
            ports=self._ports,
            workspace=self._workspace,
            transaction=self._transaction,
            bucket_id=self._bucket_id,
        )
        while acting:
            attempt = self._connection.transaction()
            await attempt.start()
            failed = await effects.perform(
                self._automation.actions, [run.subscriber_id for run in acting], depth
            )
            if not failed:
                await attempt.commit()
                return
            await attempt.rollback()
            _end(acting, failed, "FAILED")
            acting = [run for run in acting if run.state == "DONE"]


def _end(acting: Collection[_Acting], reasons: Mapping[int, str], state: RunState) -> None:
    for run in acting:
        if run.subscriber_id in reasons:
            run.state, run.reason = state, reasons[run.subscriber_id]


def _by_depth(acting: Collection[_Acting]) -> dict[int, list[_Acting]]:
    found: dict[int, list[_Acting]] = defaultdict(list)
    for run in acting:
        if run.state == "DONE":
            found[run.depth].append(run)
    return found


def _resumed(run: WaitingRun) -> _Acting:
    return _Acting(
        run_id=run.id,
        subscriber_id=run.subscriber_id,
        entered=run.entered,
        cause=run.cause,
        occurred_at=run.started_at,
        sequence=None,
        depth=run.origin + 1,
        is_new=False,
    )


def _started(id_: int, run: Beginning) -> _Acting:
    return _Acting(
        run_id=id_,
        subscriber_id=run.subscriber_id,
        entered=run.entered,
        cause=run.cause,
        occurred_at=run.started_at,
        sequence=run.sequence,
        depth=run.origin + 1,
        is_new=True,
    )


def _told(run: _Acting) -> ToldRun:
    return ToldRun(run.run_id, run.subscriber_id, run.entered, run.cause, run.occurred_at, run.sequence)


def _new_run(id_: int, begun: Beginning, ended: tuple[RunState, str | None] | None) -> NewRun:
    state, reason = ended or (begun.state, begun.reason)
    return NewRun(
        id_,
        begun.subscriber_id,
        state,
        reason,
        begun.entered,
        begun.cause,
        begun.sequence,
        begun.origin,
        begun.started_at,
        begun.due_at,
    )
