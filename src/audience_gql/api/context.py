"""The context of resolvers: the caller's access, the services of the process, and the loaders of the operation."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import strawberry

from audience_gql.api.loading.loaders import Loaders
from audience_gql.api.operations.live import Live
from audience_gql.api.operations.operating import OperationQueue
from audience_gql.audience.access import Access, Doorkeeper
from audience_gql.audience.budgets import Budgets
from audience_gql.audience.insights.reading import SegmentReads
from audience_gql.audience.log.cursors import CursorCodec
from audience_gql.audience.log.feed import Feed
from audience_gql.audience.log.segment_watch import SegmentWatch
from audience_gql.audience.ports import Ports, Sender
from audience_gql.audience.trusted_texts import TrustedTexts
from audience_gql.audience.webhooks.trials import Trials
from audience_gql.config import Settings
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.replica import Replica

if TYPE_CHECKING:
    from audience_gql.api.documents.documents import Documents


Executor: TypeAlias = Literal["library", "plan", "statement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The objects that all operations of a process share."""

    ports: Ports
    heavy_ports: Ports
    """The same ports with database connections of their own, for reads that may take long."""
    operations: OperationQueue
    budgets: Budgets
    doorkeeper: Doorkeeper
    trusted: TrustedTexts
    documents: Documents
    """The documents of the schema that runs the operations."""
    cursors: CursorCodec
    settings: Settings
    live: Live
    watch: SegmentWatch
    reads: SegmentReads
    sender: Sender
    trials: Trials
    replica: Replica | None = None
    """Where queries of clients that prefer it are answered."""


@dataclass(slots=True)
class Context:
    """The context of one operation."""

    services: Services
    access: Access
    resume_from: str | None = None
    """The cursor that the client has reached, if the transport carries it. It overrides the document's cursor, which is older."""
    executor: Executor = "library"
    """What answered the operation: the library's executor, a plan level by level, or one statement for each root field."""
    is_small: bool = False
    """Whether the operation is a query with a small response. Such queries may share statements."""
    is_on_replica: bool = False
    """Whether a replica answers. The primary answers again if anything fails there."""
    asks_at_once: bool = False
    """Whether a plan runs, which asks for all objects of a level together: see Loaders."""
    _loaders: Loaders | None = field(init=False, default=None)
    _ports: Ports | None = field(init=False, default=None)

    @property
    def loaders(self) -> Loaders:
        """The loaders of the operation. A query that one statement answers needs none."""
        if self._loaders is None:
            self._loaders = Loaders(
                self.services.ports, self.heavy_ports, self.workspace.id, ask_at_once=self.asks_at_once
            )
        return self._loaders

    @property
    def ports(self) -> Ports:
        """The ports of the process, with the request's token as the actor: whatever changes a definition through them is recorded as its work."""
        if self._ports is None:
            self._ports = replace(self.services.ports, actor=self.access.actor)
        return self._ports

    @property
    def heavy_ports(self) -> Ports:
        return self.services.heavy_ports

    @property
    def workspace(self) -> Workspace:
        return self.access.workspace

    @property
    def feed(self) -> Feed:
        return Feed(ports=self.ports, workspace=self.workspace, cursors=self.services.cursors)

    def note_reads(self, segment_ids: Collection[int]) -> None:
        """Remember that the caller reads these segments, or listens to them, now."""
        self.services.reads.note(self.workspace.id, segment_ids)

    def forget(self) -> None:
        """Start with fresh loaders. A subscription does so between its results, so that none of them shows old data."""
        self.let_go()
        self.asks_at_once = False

    def let_go(self) -> None:
        """Free what the loaders have read, without a garbage collection."""
        if self._loaders is not None:
            self._loaders.forget()
            self._loaders = None


Info: TypeAlias = strawberry.Info[Context, None]
