"""A Tortoise model for the table of the audit trail. It must not write rows: trail.py does, with SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields import BigIntField, DatetimeField, JSONField, TextField

from audience_gql.storage.orm.base import Model


class TrailEntry(Model):
    id: int = BigIntField(primary_key=True, generated=False)
    workspace_id: int = BigIntField()
    at: datetime = DatetimeField()
    actor_kind: str = TextField()
    token_id: int | None = BigIntField(null=True)
    actor_name: str = TextField()
    kind: str = TextField()
    object_id: int = BigIntField()
    object_bucket: int | None = BigIntField(null=True)
    object_name: str | None = TextField(null=True)
    before: dict[str, Any] | None = JSONField(null=True)  # Any: what audience.trail.portraits writes
    after: dict[str, Any] | None = JSONField(null=True)  # Any: the same
    lines_added: list[str] = ArrayField("text", default=list)
    lines_removed: list[str] = ArrayField("text", default=list)

    class Meta:
        table = "trail_entries"
