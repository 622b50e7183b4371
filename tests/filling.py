"""Runs fills as a worker would, but in one bucket only, because other tests leave waiting fills in the same database."""

from __future__ import annotations

from audience_gql.audience.engine.membership import Membership
from audience_gql.storage.engine.fills import segments_to_fill
from audience_gql.storage.postgres.database import Database

_WANTED = """
SELECT s.id FROM buckets b JOIN segments s ON s.workspace_id = b.workspace_id
LEFT JOIN segment_states st ON st.bucket_id = b.id AND st.segment_id = s.id
WHERE b.id = $1 AND s.failure IS NULL AND NOT s.is_paused
AND (st.generation IS DISTINCT FROM s.generation OR st.filled_to IS NOT NULL)
AND s.id = ANY($2::bigint[])
UNION ALL
SELECT st.segment_id FROM segment_states st
WHERE st.bucket_id = $1 AND NOT EXISTS (SELECT FROM segments s WHERE s.id = st.segment_id)
ORDER BY 1
"""


async def fill_bucket(database: Database, membership: Membership, bucket_id: int) -> None:
    """Run all fills that wait for a bucket."""
    async with database.acquire() as connection:
        wanted = await segments_to_fill(connection)
    for row in await database.fetch(_WANTED, bucket_id, wanted):
        await membership.fill(bucket_id, row["id"])
