"""Tortoise models for the tables of imports. They must not write rows: imports.py, import_files.py and import_messages.py do, with SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields import (
    BigIntField,
    BinaryField,
    BooleanField,
    DatetimeField,
    JSONField,
    TextField,
)

from audience_gql.storage.orm.base import Model
from audience_gql.storage.orm.models import BucketedModel, BucketRequired


class Import(Model):
    id: int = BigIntField(primary_key=True, generated=False)
    workspace_id: int = BigIntField()
    state: str = TextField()
    plan: dict[str, Any] = JSONField()  # Any: what audience.import_plans writes
    dry_run = BooleanField()
    secret_hash: bytes = BinaryField()
    upload_id: int | None = BigIntField(null=True)
    bytes: int = BigIntField(default=0)
    bytes_read: int = BigIntField(default=0)
    lines_read: int = BigIntField(default=0)
    header: list[str] | None = ArrayField("text", null=True)
    rows_read: int = BigIntField(default=0)
    created: int = BigIntField(default=0)
    updated: int = BigIntField(default=0)
    rejected: int = BigIntField(default=0)
    noticed: int = BigIntField(default=0)
    failure: str | None = TextField(null=True)
    created_at: datetime = DatetimeField()
    file_name: str | None = TextField(null=True)
    started_by: str | None = TextField(null=True)
    ended_at: datetime | None = DatetimeField(null=True)
    is_recorded = BooleanField(default=False)
    recorded: int = BigIntField(default=0)
    undo_state: str | None = TextField(null=True)
    undo_started_at: datetime | None = DatetimeField(null=True)
    undo_started_by: str | None = TextField(null=True)
    undo_ended_at: datetime | None = DatetimeField(null=True)
    undo_counts: dict[str, int] = JSONField(default=dict)

    class Meta:
        table = "imports"


class ImportChunk(Model):
    import_id: int = BigIntField()
    upload_id: int = BigIntField()
    position: int = BigIntField(primary_key=True, generated=False)
    content = BinaryField()
    received_at: datetime = DatetimeField()

    class Meta:
        table = "import_chunks"


class ImportReject(Model):
    import_id: int = BigIntField()
    line: int = BigIntField(primary_key=True, generated=False)
    message: str = TextField()
    people: list[int] = ArrayField("bigint", default=list)
    key_hashes: list[str] = ArrayField("text", default=list)
    is_notice = BooleanField(default=False)

    class Meta:
        table = "import_rejects"


class ImportEffect(BucketedModel):
    import_id: int = BigIntField()
    step: int = BigIntField()
    subscriber_id: int = BigIntField(primary_key=True, generated=False)
    at: datetime = DatetimeField()
    is_created = BooleanField()
    updated_at_before: datetime | None = DatetimeField(null=True)
    updated_at_after: datetime = DatetimeField()
    joined: list[int] = ArrayField("bigint")
    changes: dict[str, Any] = JSONField()  # Any: JSON, which its reader types

    class Meta:
        table = "import_effects"
        manager = BucketRequired()
