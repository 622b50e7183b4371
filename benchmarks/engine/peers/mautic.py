"""Mautic's way, as in `mautic:segments:update`: fetch missing people 300 at a time, and write them one by one.

Written from the published source (github.com/mautic/mautic, app/bundles/LeadBundle), step by step:

- Command/UpdateLeadListsCommand.php: `--batch-limit` is 300, each segment in turn, started by cron every 15 minutes as the
  documentation proposes.
- Model/ListModel.php `rebuildListLeads`: count the people to add, then fetch and add them a batch at a time; then do the same for
  the people to remove.
- Segment/Query/ContactSegmentQueryBuilder.php `addNewContactsRestrictions`: people to add match the filters' query and are
  `NOT IN` (the segment's members); Segment/ContactSegmentService.php `getOrphanedLeadListLeadsQueryBuilder`: people to remove are
  members who were not added manually and are `NOT IN` (the filters' query).
- `addLead` and `removeLead`: one statement and one transaction per person, through the ORM's flush.

The time of PHP, the ORM and its events is excluded, and our compiler makes the filters' SQL: both favour Mautic. A first fill of many
people is too slow to wait for. Some of its batches run, with the members that earlier batches would have added, and represent all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from audience_gql.storage.postgres.database import Connection
from benchmarks.engine.peers.subject import Subject
from benchmarks.engine.peers.took import Took, timed

NAME = "Mautic"
EVERY_SECONDS = 15 * 60
BATCH = 300
LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""How full the segment is when a batch is sampled: the middle of each fifth."""

TABLES = """
DROP TABLE IF EXISTS peers_mautic_members;
CREATE TABLE peers_mautic_members (
  leadlist_id bigint, lead_id bigint, date_added timestamptz NOT NULL,
  manually_added boolean NOT NULL, manually_removed boolean NOT NULL,
  PRIMARY KEY (leadlist_id, lead_id));
CREATE INDEX peers_mautic_lead ON peers_mautic_members (lead_id, leadlist_id, manually_removed);
"""
DROP = "DROP TABLE IF EXISTS peers_mautic_members"

_FILTERS = """
SELECT s.id FROM subscribers s {joins}
WHERE s.bucket_id = ANY($1::bigint[]) AND {where}
"""
_NEW = """
  AND s.id NOT IN (SELECT m.lead_id FROM peers_mautic_members m WHERE m.leadlist_id = $2)
"""
_ORPHANED = """
SELECT m.lead_id AS id FROM peers_mautic_members m
WHERE m.leadlist_id = $2 AND NOT m.manually_added AND m.lead_id NOT IN ({filters})
"""
_ADD = "INSERT INTO peers_mautic_members VALUES ($1, $2, now(), false, false)"
_REMOVE = "DELETE FROM peers_mautic_members WHERE leadlist_id = $1 AND lead_id = $2"
_TOP_UP = "INSERT INTO peers_mautic_members SELECT $2::bigint, q.id, now(), false, false FROM ({new} LIMIT {count}) q"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mautic:
    """Works on all buckets as one table of leads. The connection must be outside of a transaction, because each person is one."""

    connection: Connection
    pid: int
    """The process id of the connection's backend."""
    bucket_ids: Sequence[int]

    async def first_fill(self, subject: Subject, now: datetime) -> tuple[Took, int]:
        """The extrapolated time of a first fill, and the number of members. The segment is full afterwards."""
        new, _, values = self._queries(subject, now)
        total = await self._count(new, values)
        took = await timed([self.pid], self._count(new, values))
        batch, there = Took(), 0
        for level in LEVELS:
            missing = int(total * level) - there
            if missing > 0:
                await self.connection.execute(_TOP_UP.format(new=new, count=missing), *values)
                await self.connection.execute("ANALYZE peers_mautic_members")
            batch += await timed([self.pid], self._batch(subject, new, values, _ADD))
            there = int(total * level) + BATCH
        await self.connection.execute(_TOP_UP.format(new=new, count=total), *values)
        return took + batch.times(max(total, 1) / BATCH / len(LEVELS)), total

    async def run(self, subject: Subject, now: datetime) -> None:
        """One `rebuildListLeads`."""
        new, orphaned, values = self._queries(subject, now)
        for sql, write in ((new, _ADD), (orphaned, _REMOVE)):
            for _ in range(0, await self._count(sql, values), BATCH):
                await self._batch(subject, sql, values, write)

    async def members(self, subject: Subject) -> set[int]:
        rows = await self.connection.fetch(
            "SELECT lead_id FROM peers_mautic_members WHERE leadlist_id = $1", subject.id
        )
        return {row["lead_id"] for row in rows}

    def _queries(self, subject: Subject, now: datetime) -> tuple[str, str, list[object]]:
        """The queries for people to add and for people to remove, and the values of both."""
        fragment = subject.of_person
        filters = _FILTERS.format(joins=fragment.joins, where=fragment.where)
        values = [list(self.bucket_ids), subject.id, *fragment.bind(now)]
        return filters + _NEW, _ORPHANED.format(filters=filters), values

    async def _count(self, sql: str, values: list[object]) -> int:
        count: int = await self.connection.fetchval(
            f"SELECT count(*) FROM (SELECT DISTINCT id FROM ({sql}) q) c", *values
        )
        return count

    async def _batch(self, subject: Subject, sql: str, values: list[object], write: str) -> None:
        for row in await self.connection.fetch(f"{sql} LIMIT {BATCH}", *values):
            await self.connection.execute(write, subject.id, row["id"])
