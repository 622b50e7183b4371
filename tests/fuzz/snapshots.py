"""Checks every run: in one snapshot, it compares the stored membership with the facts, and the log with the membership."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from asyncpg import Record

from audience_gql.conditions.base import Condition
from audience_gql.conditions.codec import parse
from audience_gql.conditions.evaluator import evaluate
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage import definitions, segment_definitions
from audience_gql.storage.postgres.database import Connection
from tests.audience.raw_facts import facts_in


@dataclass
class Judge:
    """Follows one workspace during a run. It keeps the log that it has read, and reads everything else again for each check."""

    workspace_id: int
    looks: int = 0
    compared: int = 0
    """How many memberships were compared with the facts."""
    left_out: int = 0
    """How many buckets a fill had just advanced without a tick."""
    _replayed: dict[int, set[tuple[str, int, int]]] = field(default_factory=dict)
    _read_to: dict[int, int] = field(default_factory=dict)

    async def judge(self, connection: Connection, *, everybody: bool = False) -> list[str]:
        """The differences, as sentences. `connection` reads one snapshot. With `everybody`, no work may be left to do."""
        self.looks += 1
        wrong: list[str] = []
        conditions, zone = await _definitions(connection, self.workspace_id)
        for bucket in await connection.fetch(
            "SELECT id, next_sequence, last_instant, evaluated_through FROM buckets WHERE workspace_id = $1",
            self.workspace_id,
        ):
            members = await _members(connection, bucket["id"])
            wrong += await self._against_the_log(connection, bucket, members, conditions)
            wrong += await _against_the_counters(connection, bucket["id"], members, conditions)
            wrong += await self._against_the_facts(connection, bucket, members, conditions, zone, everybody)
        return wrong

    async def _against_the_facts(
        self,
        connection: Connection,
        bucket: Record,
        members: set[tuple[int, int]],
        conditions: Mapping[int, Condition],
        zone: str,
        everybody: bool,
    ) -> list[str]:
        marked = {
            row["subscriber_id"]
            for row in await connection.fetch(
                "SELECT DISTINCT subscriber_id FROM dirty WHERE bucket_id = $1", bucket["id"]
            )
        }
        settled = await _settled(connection, bucket["id"])
        if everybody and (marked or settled != conditions.keys()):
            waiting = sorted(conditions.keys() - settled)
            return [f"bucket {bucket['id']} is not at rest: {len(marked)} marked, {waiting} not settled"]
        now: datetime = bucket["last_instant"]
        if bucket["evaluated_through"] != now:
            self.left_out += 1
            return ["the bucket is not at rest"] if everybody else []
        wrong = []
        for id_, person in (await facts_in(connection, self.workspace_id, bucket["id"])).items():
            if id_ in marked:
                continue
            for segment_id in settled:
                should = evaluate(conditions[segment_id], person, now, conditions, timezone=zone)
                self.compared += 1
                if should != ((segment_id, id_) in members):
                    wrong.append(f"{id_} should {'' if should else 'not '}be in {segment_id} as of {now}")
        return wrong

    async def _against_the_log(
        self,
        connection: Connection,
        bucket: Record,
        members: set[tuple[int, int]],
        conditions: Mapping[int, Condition],
    ) -> list[str]:
        bucket_id = bucket["id"]
        state = self._replayed.setdefault(bucket_id, set())
        read_to = self._read_to.get(bucket_id, 0)
        wrong = []
        for row in await connection.fetch(
            "SELECT sequence, list_kind, list_id, subscriber_id, entered FROM membership_changes "
            "WHERE bucket_id = $1 AND sequence > $2 ORDER BY sequence",
            bucket_id,
            read_to,
        ):
            read_to += 1
            if row["sequence"] != read_to:
                wrong.append(f"after {read_to - 1} comes {row['sequence']}")
                read_to = row["sequence"]
            entry = (row["list_kind"], row["list_id"], row["subscriber_id"])
            if (entry in state) == row["entered"]:
                wrong.append(f"{entry} {'entered' if row['entered'] else 'left'} twice")
            state ^= {entry}
        self._read_to[bucket_id] = read_to
        if bucket["next_sequence"] != read_to + 1:
            wrong.append(f"the next sequence is {bucket['next_sequence']} after {read_to}")
        logged = {
            (list_id, id_) for kind, list_id, id_ in state if kind == "SEGMENT" and list_id in conditions
        }
        there = {(segment_id, id_) for segment_id, id_ in members if segment_id in conditions}
        if logged != there:
            wrong.append(f"the log replays to {len(logged)} memberships, not {len(there)}")
        return wrong


async def _definitions(connection: Connection, workspace_id: int) -> tuple[dict[int, Condition], str]:
    vocabulary = await definitions.vocabulary(connection, workspace_id)
    return {
        segment.id: parse(segment.condition, vocabulary=vocabulary, ids=PLAIN_IDS)
        for segment in await segment_definitions.segments(connection, workspace_id)
    }, vocabulary.timezone


async def _members(connection: Connection, bucket_id: int) -> set[tuple[int, int]]:
    rows = await connection.fetch(
        "SELECT segment_id, subscriber_id FROM segment_members WHERE bucket_id = $1", bucket_id
    )
    return {(row["segment_id"], row["subscriber_id"]) for row in rows}


async def _settled(connection: Connection, bucket_id: int) -> set[int]:
    """The segments whose fill in the bucket is complete, and that are neither paused nor failed."""
    rows = await connection.fetch(
        "SELECT s.id FROM segments s JOIN segment_states st ON st.segment_id = s.id AND st.bucket_id = $1 "
        "WHERE st.generation = s.generation AND (st.filled_to IS NULL OR st.fill_cause = 'REPAIR') "
        "AND NOT s.is_paused AND s.failure IS NULL",
        bucket_id,
    )
    return {row["id"] for row in rows}


async def _against_the_counters(
    connection: Connection, bucket_id: int, members: set[tuple[int, int]], conditions: Mapping[int, Condition]
) -> list[str]:
    counted = {
        row["segment_id"]: row["members"]
        for row in await connection.fetch(
            "SELECT segment_id, members FROM segment_states WHERE bucket_id = $1", bucket_id
        )
        if row["segment_id"] in conditions
    }
    there = Counter(segment_id for segment_id, _ in members)
    return [
        f"segment {segment_id} counts {count}, and has {there[segment_id]}"
        for segment_id, count in counted.items()
        if count != there[segment_id]
    ]
