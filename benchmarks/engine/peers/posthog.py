"""PostHog's way: calculate the whole cohort again as a new version, switch to it, and delete the previous version.

Written from the published source (github.com/PostHog/posthog), step by step:

- posthog/tasks/calculate_cohort.py: a cohort is calculated again when its last calculation is 15 minutes old (MAX_AGE_MINUTES).
- posthog/models/cohort/util.py `recalculate_cohortpeople`: the size before, RECALCULATE_COHORT_BY_ID with a new version, the size after.
- posthog/models/cohort/sql.py: that statement inserts everybody who matches with the new version, and cancels each row of earlier
  versions (ClickHouse later removes row and cancellation; Postgres deletes). Readers use only rows of the cohort's version.

Here it is one INSERT … SELECT per bucket, which is the fastest way in Postgres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from audience_gql.storage.postgres.database import Connection
from benchmarks.engine.peers.subject import END, Subject

NAME = "PostHog"
EVERY_SECONDS = 15 * 60

TABLES = """
DROP TABLE IF EXISTS peers_posthog_people, peers_posthog_cohorts;
CREATE TABLE peers_posthog_cohorts (id bigint PRIMARY KEY, version bigint NOT NULL);
CREATE TABLE peers_posthog_people (
  cohort_id bigint, version bigint, bucket_id bigint, person_id bigint,
  PRIMARY KEY (cohort_id, version, bucket_id, person_id));
"""
DROP = "DROP TABLE IF EXISTS peers_posthog_people, peers_posthog_cohorts"

_VERSION = "SELECT version FROM peers_posthog_cohorts WHERE id = $1"
_SIZE = "SELECT count(DISTINCT person_id) FROM peers_posthog_people WHERE cohort_id = $1 AND version = $2"
_CLEAR = "DELETE FROM peers_posthog_people WHERE cohort_id = $1 AND version < $2"
_POINT = "INSERT INTO peers_posthog_cohorts VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET version = excluded.version"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostHog:
    """Works on all buckets."""

    connection: Connection
    bucket_ids: Sequence[int]

    async def run(self, subject: Subject, now: datetime) -> None:
        """One calculation."""
        version = await self.connection.fetchval(_VERSION, subject.id) or 0
        await self.connection.fetchval(_SIZE, subject.id, version)
        values = subject.of_range.bind(now)
        insert = (
            "INSERT INTO peers_posthog_people (cohort_id, version, bucket_id, person_id) "
            f"SELECT {subject.id}, {version + 1}, $1::bigint, q.subscriber_id FROM ({subject.of_range.sql}) q"
        )
        async with self.connection.transaction():
            for bucket_id in self.bucket_ids:
                await self.connection.execute(insert, bucket_id, -1, END, *values)
        await self.connection.execute(_POINT, subject.id, version + 1)
        await self.connection.execute(_CLEAR, subject.id, version + 1)
        await self.connection.fetchval(_SIZE, subject.id, version + 1)

    async def members(self, subject: Subject) -> set[int]:
        rows = await self.connection.fetch(
            "SELECT p.person_id FROM peers_posthog_cohorts c "
            "JOIN peers_posthog_people p ON p.cohort_id = c.id AND p.version = c.version WHERE c.id = $1",
            subject.id,
        )
        return {row["person_id"] for row in rows}
