"""A Tortoise model for the table of trusted documents. It must not write rows: trusted_documents.py does, with SQL."""

from __future__ import annotations

from datetime import datetime

from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields import BigIntField, DatetimeField, TextField

from audience_gql.storage.orm.base import Model


class TrustedDocument(Model):
    id: int = BigIntField(primary_key=True, generated=False)
    workspace_id: int = BigIntField()
    sha256: str = TextField()
    text: str = TextField()
    operations: list[str] = ArrayField("text")
    published_at: datetime = DatetimeField()
    published_by: str = TextField()

    class Meta:
        table = "trusted_documents"
