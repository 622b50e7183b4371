"""A Tortoise model for every table of definitions and of people. Definitions are ordinary models; rows that belong to a bucket are read through `in_bucket`.

These models must not write rows of a bucket: the ORM cannot express their composite keys (see facts.py and membership.py).
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self

from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields import (
    BigIntField,
    BinaryField,
    BooleanField,
    CharField,
    DateField,
    DatetimeField,
    DecimalField,
    FloatField,
    IntField,
    JSONField,
    SmallIntField,
    TextField,
)
from tortoise.manager import Manager
from tortoise.queryset import QuerySet

from audience_gql.storage.orm.base import Model


class Workspace(Model):
    id: int = BigIntField(primary_key=True, generated=False)
    name: str = TextField()
    timezone: str = TextField(default="UTC")
    created_at: datetime = DatetimeField()
    definitions_version: int = BigIntField(default=0)
    log_epoch: int = BigIntField(default=0)
    week_start: str = TextField(default="MONDAY")
    deleted_at: datetime | None = DatetimeField(null=True)

    class Meta:
        table = "workspaces"


class ZoneClock(Model):
    zone = CharField(100, primary_key=True)
    version: str = TextField()
    starts: list[datetime] = ArrayField("timestamptz")
    readings: list[datetime] = ArrayField("timestamp")

    class Meta:
        table = "zone_clocks"


class ApiToken(Model):
    id: int = BigIntField(primary_key=True, generated=False)
    workspace_id: int = BigIntField()
    name: str = TextField()
    prefix: str = TextField()
    secret_hash: bytes = BinaryField()
    scopes: list[str] = ArrayField("text")
    created_at: datetime = DatetimeField()
    expires_at: datetime | None = DatetimeField(null=True)
    revoked_at: datetime | None = DatetimeField(null=True)
    last_used_at: datetime | None = DatetimeField(null=True)
    networks: list[str] | None = ArrayField("text", null=True)
    last_used_address: str | None = TextField(null=True)
    last_used_agent: str | None = TextField(null=True)
    only_trusted_documents = BooleanField(default=False)
    with_console_documents = BooleanField(default=False)

    class Meta:
        table = "api_tokens"


class Bucket(Model):
    id: int = BigIntField(primary_key=True, generated=False)
    workspace_id: int = BigIntField()
    is_open = BooleanField(default=True)
    next_sequence: int = BigIntField(default=1)
    last_instant: datetime = DatetimeField()
    evaluated_through: datetime = DatetimeField()
    next_due_at: datetime | None = DatetimeField(null=True)
    states_version: int = BigIntField(default=0)
    has_events_ahead = BooleanField(default=True)
    turn: int = BigIntField(default=0)
    pruned_through: int = BigIntField(default=0)
    crowd_through: datetime | None = DatetimeField(null=True)
    crowd_marked_to: int | None = BigIntField(null=True)
    settled_at: datetime | None = DatetimeField(null=True)
    complete_since: datetime | None = DatetimeField(null=True)
    trace: str | None = TextField(null=True)
    trace_sequence: int | None = BigIntField(null=True)

    class Meta:
        table = "buckets"


class CustomField(Model):
    id: int = BigIntField(primary_key=True, generated=False)
    workspace_id: int = BigIntField()
    key: str = TextField()
    label: str = TextField()
    type: str = TextField()
    options: list[str] | None = ArrayField("text", null=True)
    created_at: datetime = DatetimeField()

    class Meta:
        table = "custom_fields"


class EventName(Model):
    id: int = BigIntField(primary_key=True, generated=False)
    workspace_id: int = BigIntField()
    name: str = TextField()

    class Meta:
        table = "event_names"


class Group(Model):
    id: int = BigIntField(primary_key=True, generated=False)
    workspace_id: int = BigIntField()
    name: str = TextField()
    name_folded: str = TextField()
    description: str | None = TextField(null=True)
    created_at: datetime = DatetimeField()
    updated_at: datetime = DatetimeField()

    class Meta:
        table = "groups"


class Segment(Model):
    id: int = BigIntField(primary_key=True, generated=False)
    workspace_id: int = BigIntField()
    name: str = TextField()
    name_folded: str = TextField()
    description: str | None = TextField(null=True)
    condition: dict[str, Any] = JSONField()  # Any: the JSON of a condition, which conditions.codec types
    summary: str = TextField()
    revision: int = IntField(default=1)
    generation: int = IntField(default=1)
    failure: str | None = TextField(null=True)
    is_paused = BooleanField(default=False)
    paused_through: datetime | None = DatetimeField(null=True)
    last_read_at: datetime | None = DatetimeField(null=True)
    reviewed_at: datetime | None = DatetimeField(null=True)
    created_at: datetime = DatetimeField()
    updated_at: datetime = DatetimeField()

    class Meta:
        table = "segments"


class BucketRequired(Manager):
    """Refuses queries that do not name their bucket first: such a query would touch every node of a distributed Postgres."""

    def get_queryset(self) -> QuerySet[Any]:  # Any: the manager serves every bucketed model
        raise LookupError(
            f"{self._model.__name__} belongs to a bucket: start from {self._model.__name__}.in_bucket(bucket_id)"
        )


class BucketedModel(Model):
    """A row of one bucket. The ORM knows only one column of its key, so read it through this class, but never save it."""

    bucket_id: int = BigIntField()

    @classmethod
    def in_bucket(cls, bucket_id: int) -> QuerySet[Self]:
        return QuerySet(cls).filter(bucket_id=bucket_id)

    class Meta:
        abstract = True
        manager = BucketRequired()


class Subscriber(BucketedModel):
    id: int = BigIntField(primary_key=True, generated=False)
    email: str | None = TextField(null=True)
    email_folded: str | None = TextField(null=True)
    phone: str | None = TextField(null=True)
    phone_folded: str | None = TextField(null=True)
    external_id: str | None = TextField(null=True)
    external_id_folded: str | None = TextField(null=True)
    first_name: str | None = TextField(null=True)
    first_name_folded: str | None = TextField(null=True)
    last_name: str | None = TextField(null=True)
    last_name_folded: str | None = TextField(null=True)
    language: str | None = TextField(null=True)
    language_folded: str | None = TextField(null=True)
    timezone: str | None = TextField(null=True)
    timezone_folded: str | None = TextField(null=True)
    birthday: date | None = DateField(null=True)
    latitude: float | None = FloatField(null=True)
    longitude: float | None = FloatField(null=True)
    location_x: float | None = FloatField(null=True)
    location_y: float | None = FloatField(null=True)
    location_z: float | None = FloatField(null=True)
    country: str | None = TextField(null=True)
    country_folded: str | None = TextField(null=True)
    region: str | None = TextField(null=True)
    region_folded: str | None = TextField(null=True)
    city: str | None = TextField(null=True)
    city_folded: str | None = TextField(null=True)
    postal_code: str | None = TextField(null=True)
    postal_code_folded: str | None = TextField(null=True)
    fields: dict[str, Any] = JSONField()  # Any: custom field id → JSON value of its type
    fields_folded: dict[str, Any] = JSONField()  # Any: the same
    created_at: datetime = DatetimeField()
    updated_at: datetime = DatetimeField()
    email_changed_at: datetime | None = DatetimeField(null=True)

    class Meta:
        table = "subscribers"
        manager = BucketRequired()


class Identity(Model):
    """The owner of an email, phone or external id. Its key begins with the workspace: the only exception to the bucket rule."""

    workspace_id: int = BigIntField()
    kind: str = TextField()
    value = CharField(2048, primary_key=True)
    bucket_id: int = BigIntField()
    subscriber_id: int = BigIntField()

    class Meta:
        table = "identities"


class ChannelState(BucketedModel):
    subscriber_id: int = BigIntField(primary_key=True, generated=False)
    channel: str = TextField()
    status: str = TextField()
    changed_at: datetime = DatetimeField()
    reason: str | None = TextField(null=True)
    before_status: str | None = TextField(null=True)
    before_changed_at: datetime | None = DatetimeField(null=True)
    before_reason: str | None = TextField(null=True)

    class Meta:
        table = "channel_states"
        manager = BucketRequired()


class SubscriberDate(BucketedModel):
    subscriber_id: int = BigIntField(primary_key=True, generated=False)
    field_id: int = BigIntField()
    at: datetime = DatetimeField()

    class Meta:
        table = "subscriber_dates"
        manager = BucketRequired()


class GroupMember(BucketedModel):
    group_id: int = BigIntField()
    subscriber_id: int = BigIntField(primary_key=True, generated=False)
    added_at: datetime = DatetimeField()

    class Meta:
        table = "group_members"
        manager = BucketRequired()


class Event(BucketedModel):
    subscriber_id: int = BigIntField()
    name_id: int = BigIntField()
    occurred_at: datetime = DatetimeField()
    id: int = BigIntField(primary_key=True, generated=False)
    value: Decimal | None = DecimalField(max_digits=131072, decimal_places=16383, null=True)
    properties: dict[str, Any] = JSONField()  # Any: the event's own JSON
    properties_folded: dict[str, Any] = JSONField()  # Any: folded text of some of the same keys
    properties_times: dict[str, Any] | None = JSONField(null=True)  # Any: instants of some of the same keys

    class Meta:
        table = "events"
        manager = BucketRequired()


class EventKey(BucketedModel):
    subscriber_id: int = BigIntField()
    key = CharField(200, primary_key=True)

    class Meta:
        table = "event_keys"
        manager = BucketRequired()


class SegmentMember(BucketedModel):
    segment_id: int = BigIntField()
    subscriber_id: int = BigIntField(primary_key=True, generated=False)
    entered_at: datetime = DatetimeField()

    class Meta:
        table = "segment_members"
        manager = BucketRequired()


class MembershipChange(BucketedModel):
    sequence: int = BigIntField(primary_key=True, generated=False)
    list_kind: str = TextField()
    list_id: int = BigIntField()
    subscriber_id: int = BigIntField()
    entered = BooleanField()
    cause: str = TextField()
    revision: int | None = IntField(null=True)
    occurred_at: datetime = DatetimeField()
    origin: int = SmallIntField(default=0)
    unchanged_at: datetime | None = DatetimeField(null=True)

    class Meta:
        table = "membership_changes"
        manager = BucketRequired()


class Dirty(BucketedModel):
    lane: int = SmallIntField()
    subscriber_id: int = BigIntField(primary_key=True, generated=False)  # no key, but the ORM needs one
    kind: str = TextField()
    ref: int = BigIntField()
    at: datetime | None = DatetimeField(null=True)
    origin: int = SmallIntField(default=0)
    trace: str | None = TextField(null=True)

    class Meta:
        table = "dirty"
        manager = BucketRequired()


class SegmentState(BucketedModel):
    segment_id: int = BigIntField(primary_key=True, generated=False)
    generation: int = IntField()
    filled_to: int | None = BigIntField(null=True)
    fill_cause: str = TextField()
    fill_entered: int = BigIntField(default=0)
    fill_left: int = BigIntField(default=0)
    filled_at: datetime | None = DatetimeField(null=True)
    members: int = BigIntField(default=0)

    class Meta:
        table = "segment_states"
        manager = BucketRequired()


class SegmentHour(BucketedModel):
    """How many people entered and left a segment in one hour, kept after the log of that hour is pruned."""

    segment_id: int = BigIntField(primary_key=True, generated=False)
    hour: datetime = DatetimeField()
    entered: int = BigIntField()
    left: int = BigIntField()

    class Meta:
        table = "segment_hours"
        manager = BucketRequired()


class GroupState(BucketedModel):
    group_id: int = BigIntField(primary_key=True, generated=False)
    members: int = BigIntField(default=0)

    class Meta:
        table = "group_states"
        manager = BucketRequired()


class SegmentDependency(Model):
    segment_id: int = BigIntField(primary_key=True, generated=False)
    depends_on_id: int = BigIntField()

    class Meta:
        table = "segment_dependencies"
