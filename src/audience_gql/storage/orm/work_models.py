"""Tortoise models for the tables of the processes' own work: who runs, what waits, and what the auditor found. Only SQL writes their rows."""

from __future__ import annotations

from datetime import datetime

from tortoise.fields import BigIntField, DatetimeField, SmallIntField, TextField

from audience_gql.storage.orm.base import Model


class WorkerBeat(Model):
    id: int = BigIntField(primary_key=True, generated=False)
    started_at: datetime = DatetimeField()
    seen_at: datetime = DatetimeField()
    looked_for_jobs_at: datetime | None = DatetimeField(null=True)

    class Meta:
        table = "workers"


class WantedFill(Model):
    segment_id: int = BigIntField(primary_key=True, generated=False)
    ticket: int = BigIntField()
    lane: int = SmallIntField(default=0)

    class Meta:
        table = "wanted_fills"


class WantedClearing(Model):
    kind: str = TextField()
    ref: int = BigIntField(primary_key=True, generated=False)
    workspace_id: int = BigIntField()

    class Meta:
        table = "wanted_clearings"


class AuditHour(Model):
    hour: datetime = DatetimeField(primary_key=True, generated=False)
    slices: int = BigIntField()
    people: int = BigIntField()
    differences: int = BigIntField()
    last_at: datetime = DatetimeField()

    class Meta:
        table = "audits"
