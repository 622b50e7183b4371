"""Tortoise models for the tables of exports. They must not write rows: exports.py does, with SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tortoise.fields import BigIntField, BinaryField, DatetimeField, IntField, JSONField, TextField

from audience_gql.storage.orm.base import Model


class Export(Model):
    id: int = BigIntField(primary_key=True, generated=False)
    workspace_id: int = BigIntField()
    state: str = TextField()
    list_kind: str = TextField()
    list_id: int = BigIntField()
    list_name: str = TextField()
    plan: dict[str, Any] = JSONField()  # Any: what audience.exports.plans writes
    secret_hash: bytes = BinaryField()
    attempt: int = IntField(default=0)
    total: int | None = BigIntField(null=True)
    rows: int = BigIntField(default=0)
    bytes: int = BigIntField(default=0)
    heads: dict[str, int] | None = JSONField(null=True)
    failure: str | None = TextField(null=True)
    created_at: datetime = DatetimeField()
    taken_at: datetime | None = DatetimeField(null=True)
    seen_at: datetime | None = DatetimeField(null=True)
    expires_at: datetime = DatetimeField()

    class Meta:
        table = "exports"


class ExportChunk(Model):
    export_id: int = BigIntField()
    attempt: int = IntField()
    position: int = BigIntField(primary_key=True, generated=False)
    content = BinaryField()

    class Meta:
        table = "export_chunks"
