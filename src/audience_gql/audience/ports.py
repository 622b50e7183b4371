"""What the application needs from outside besides Postgres: the time, wake-ups, a queue of jobs, a ledger of points, and a sender of webhooks.

The protocols are small on purpose: tests replace them. None of them holds data that may not be lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from audience_gql.audience.trail.actors import SERVER, Actor
from audience_gql.storage.postgres.database import Connection, Database

_SUCCESS: Final = range(200, 300)


class Clock(Protocol):
    """The only source of `now`. In production it is the database's clock, so that all processes agree."""

    async def now(self, connection: Connection) -> datetime:
        """The present, with a time zone. It needs a statement of its own, after the transaction has all locks that it waits for."""
        ...

    def at(self, database_time: datetime) -> datetime:
        """This clock's time if the database's clock has just shown `database_time`."""
        ...


class Wakeups(Protocol):
    """The listening side of a topic."""

    async def wait(self, timeout_seconds: float) -> frozenset[int]:
        """The ids signalled since the last call, as soon as there is one. Empty after the timeout, or if signals may have been lost."""
        ...


class Signals(Protocol):
    """Wake-ups between processes. A lost signal costs latency, never a membership, because listeners also poll."""

    def marked(self, bucket_ids: Iterable[int]) -> None:
        """Signal that facts in these buckets were committed. Returns at once, and never fails."""
        ...

    def changed(self, workspace_ids: Iterable[int]) -> None:
        """Signal that the membership log of these workspaces has grown or a segment has changed. Returns at once, and never fails."""
        ...

    async def is_reachable(self) -> bool:
        """Whether the service that carries the signals answers."""
        ...

    def marks(self) -> AbstractAsyncContextManager[Wakeups]:
        """Listen for buckets with new marks."""
        ...

    def changes(self, workspace_id: int) -> AbstractAsyncContextManager[Wakeups]:
        """Listen for changes in one workspace: a longer log or changed segments."""
        ...


class Jobs(Protocol):
    """Work for the worker. If a job is lost, the worker's own sweep finds the work."""

    def fill(self, segment_ids: Iterable[int]) -> None:
        """Request a fill or recompute of these segments, which wait in the queue of fills. Returns at once, and never fails."""
        ...

    def clear(self, workspace_id: int) -> None:
        """Request the clearing of what this workspace has deleted. Returns at once, and never fails."""
        ...

    def run_import(self, import_id: int) -> None:
        """Request that the rows of this import are written. Returns at once, and never fails."""
        ...

    def run_export(self, export_id: int) -> None:
        """Request that the file of this export is written. Returns at once, and never fails."""
        ...


class LedgerAway(Exception):
    """The ledger did not answer. It is unknown whether it has counted what was spent."""


class PointLedger(Protocol):
    """The tokens' budgets of points, shared by all web processes. If it loses them, they are full again."""

    async def settle(self, spent: Mapping[int, int], *, most: int, per_second: int) -> dict[int, float]:
        """Take what each token has spent. Returns the points that each of them has left, negative after spending on credit.

        A budget begins with `most` points and gets `per_second`, up to `most`. Raises LedgerAway, within half a second.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """One webhook message on its way to one receiver."""

    url: str
    message_id: str
    """The header `webhook-id`. It stays the same on every attempt, so that the receiver can recognise a duplicate."""
    body: bytes
    """JSON in UTF-8."""
    secrets: Sequence[str] = field(repr=False)
    """The valid secrets, the newest first. The message gets one signature for each, so that a secret can be rotated."""
    sent_at: datetime
    """The instant of this attempt. Receivers refuse signatures that are older than a few minutes."""
    traceparent: str | None = None
    """The header of this name, with which the receiver can continue the trace; None without a trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How one attempt to send a message ended."""

    status: int | None
    """The HTTP status of the receiver's answer. None if no answer arrived."""
    milliseconds: int
    failure: str | None
    """Why the attempt failed, in one sentence. None if it succeeded."""
    response: str
    """The first 1,024 bytes of the answer's body as text. Undecodable bytes are replaced."""
    retry_after_seconds: float | None
    """How long the receiver asks to wait before the next attempt, without any limit. None if it does not ask."""

    @property
    def is_success(self) -> bool:
        """Whether the receiver accepted the message: the status is 2xx, even if the rest of the answer was cut off."""
        return self.status in _SUCCESS


class Sender(Protocol):
    """The way of webhooks to their receivers. It keeps nothing: the schedule and the attempts are in Postgres."""

    def new_secret(self) -> str:
        """A new random secret that begins with `whsec_`."""
        ...

    def check_url(self, url: str) -> str | None:
        """Why messages are never sent to this URL, in one sentence, or None. It uses no network, so names are not resolved."""
        ...

    async def send(self, message: OutgoingMessage) -> Attempt:
        """Make one attempt, in 15 seconds at most. Nothing that the receiver or the network does raises an exception.

        Raises ValueError for a malformed secret.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything a use case needs, composed in app.py and worker.py."""

    database: Database
    clock: Clock
    signals: Signals
    jobs: Jobs
    actor: Actor = SERVER
    """Who changes definitions through these ports. The API binds the token of each request, and a command the command line."""
