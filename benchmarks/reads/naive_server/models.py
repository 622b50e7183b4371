"""Tortoise models of the tables that the questions read. Each declares one column as its key, because the ORM cannot express composite keys."""

from __future__ import annotations

from typing import Any, TypeAlias

from tortoise import fields
from tortoise.fields import JSONField
from tortoise.models import Model

JSON: TypeAlias = Any  # a value of any custom field


class WorkspaceRow(Model):
    id = fields.BigIntField(primary_key=True)
    name = fields.TextField()
    timezone = fields.TextField()

    class Meta:
        table = "workspaces"


class SegmentRow(Model):
    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    name = fields.TextField()
    name_folded = fields.TextField()

    class Meta:
        table = "segments"


class SegmentStateRow(Model):
    segment_id = fields.BigIntField(primary_key=True)
    bucket_id = fields.BigIntField()
    members = fields.BigIntField()

    class Meta:
        table = "segment_states"


class PersonRow(Model):
    id = fields.BigIntField(primary_key=True)
    bucket_id = fields.BigIntField()
    external_id = fields.TextField(null=True)
    email = fields.TextField(null=True)
    first_name = fields.TextField(null=True)
    last_name = fields.TextField(null=True)
    language = fields.TextField(null=True)
    country = fields.TextField(null=True)
    city = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    fields: JSONField[dict[str, JSON]] = JSONField()

    class Meta:
        table = "subscribers"


class MemberRow(Model):
    person: fields.OneToOneRelation[PersonRow] = fields.OneToOneField(
        "models.PersonRow", source_field="subscriber_id", primary_key=True, related_name=False
    )
    segment_id = fields.BigIntField()
    bucket_id = fields.BigIntField()
    entered_at = fields.DatetimeField()

    class Meta:
        table = "segment_members"


class GroupRow(Model):
    id = fields.BigIntField(primary_key=True)
    name = fields.TextField()

    class Meta:
        table = "groups"


class GroupMemberRow(Model):
    subscriber_id = fields.BigIntField(primary_key=True)
    bucket_id = fields.BigIntField()
    group: fields.ForeignKeyRelation[GroupRow] = fields.ForeignKeyField("models.GroupRow", related_name=False)
    added_at = fields.DatetimeField()

    class Meta:
        table = "group_members"


class ChannelRow(Model):
    subscriber_id = fields.BigIntField(primary_key=True)
    bucket_id = fields.BigIntField()
    channel = fields.TextField()
    status = fields.TextField()

    class Meta:
        table = "channel_states"


class CustomFieldRow(Model):
    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    key = fields.TextField()

    class Meta:
        table = "custom_fields"
