"""Tortoise models for the tables of automations and webhooks. As in models.py, rows of a bucket are only read through them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields import (
    BigIntField,
    BooleanField,
    DatetimeField,
    IntField,
    JSONField,
    SmallIntField,
    TextField,
)

from audience_gql.storage.orm.base import Model
from audience_gql.storage.orm.models import BucketedModel, BucketRequired


class Automation(Model):
    id: int = BigIntField(primary_key=True, generated=False)
    workspace_id: int = BigIntField()
    name: str = TextField()
    name_folded: str = TextField()
    description: str | None = TextField(null=True)
    list_kind: str = TextField()
    list_id: int = BigIntField()
    on_entered = BooleanField()
    on_left = BooleanField()
    rules: dict[str, Any] = JSONField()  # Any: what audience.acting.automation writes
    actions: list[dict[str, Any]] = JSONField()  # Any: the same
    revision: int = IntField(default=1)
    is_paused = BooleanField(default=False)
    created_at: datetime = DatetimeField()
    updated_at: datetime = DatetimeField()

    class Meta:
        table = "automations"


class AutomationPlace(BucketedModel):
    automation_id: int = BigIntField(primary_key=True, generated=False)
    sequence: int = BigIntField()
    begun_after: int = BigIntField()
    existing_to: int | None = BigIntField(null=True)

    class Meta:
        table = "automation_places"
        manager = BucketRequired()


class Run(BucketedModel):
    id: int = BigIntField(primary_key=True, generated=False)
    automation_id: int = BigIntField()
    subscriber_id: int = BigIntField()
    state: str = TextField()
    reason: str | None = TextField(null=True)
    entered = BooleanField()
    cause: str = TextField()
    sequence: int | None = BigIntField(null=True)
    origin: int = SmallIntField()
    revision: int = IntField()
    started_at: datetime = DatetimeField()
    due_at: datetime | None = DatetimeField(null=True)
    ended_at: datetime | None = DatetimeField(null=True)
    changed_at: datetime = DatetimeField()

    class Meta:
        table = "runs"
        manager = BucketRequired()


class WebhookEndpoint(Model):
    id: int = BigIntField(primary_key=True, generated=False)
    workspace_id: int = BigIntField()
    name: str = TextField()
    name_folded: str = TextField()
    url: str = TextField()
    secret: str = TextField()
    previous_secret: str | None = TextField(null=True)
    previous_until: datetime | None = DatetimeField(null=True)
    is_enabled = BooleanField(default=True)
    disabled_reason: str | None = TextField(null=True)
    failing_since: datetime | None = DatetimeField(null=True)
    revision: int = IntField(default=1)
    created_at: datetime = DatetimeField()
    updated_at: datetime = DatetimeField()

    class Meta:
        table = "webhook_endpoints"


class WebhookLane(BucketedModel):
    endpoint_id: int = BigIntField(primary_key=True, generated=False)
    next_number: int = BigIntField(default=1)
    formed_to: int = BigIntField(default=0)
    next_attempt_at: datetime | None = DatetimeField(null=True)
    leased_until: datetime | None = DatetimeField(null=True)
    lease: int | None = BigIntField(null=True)

    class Meta:
        table = "webhook_lanes"
        manager = BucketRequired()


class WebhookChange(BucketedModel):
    endpoint_id: int = BigIntField()
    number: int = BigIntField(primary_key=True, generated=False)
    automation_id: int = BigIntField()
    run_id: int = BigIntField()
    subscriber_id: int = BigIntField()
    list_kind: str = TextField()
    list_id: int = BigIntField()
    entered = BooleanField()
    cause: str = TextField()
    occurred_at: datetime = DatetimeField()
    sequence: int = BigIntField()
    fields: list[str] = ArrayField("text")
    trace: str | None = TextField(null=True)

    class Meta:
        table = "webhook_changes"
        manager = BucketRequired()


class WebhookChain(BucketedModel):
    endpoint_id: int = BigIntField()
    automation_id: int = BigIntField(primary_key=True, generated=False)
    messages: int = BigIntField()
    sequence: int = BigIntField()
    cursor: str | None = TextField(null=True)

    class Meta:
        table = "webhook_chains"
        manager = BucketRequired()


class Delivery(BucketedModel):
    id: int = BigIntField(primary_key=True, generated=False)
    endpoint_id: int = BigIntField()
    automation_id: int = BigIntField()
    epoch: int = BigIntField()
    first_number: int = BigIntField()
    last_number: int = BigIntField()
    state: str = TextField()
    after: str = TextField()
    cursor: str = TextField()
    attempts: int = IntField(default=0)
    step: int = SmallIntField(default=0)
    next_attempt_at: datetime | None = DatetimeField(null=True)
    created_at: datetime = DatetimeField()
    ended_at: datetime | None = DatetimeField(null=True)

    class Meta:
        table = "deliveries"
        manager = BucketRequired()


class DeliveryAttempt(BucketedModel):
    delivery_id: int = BigIntField(primary_key=True, generated=False)
    number: int = IntField()
    at: datetime = DatetimeField()
    status: int | None = IntField(null=True)
    milliseconds: int = IntField()
    failure: str | None = TextField(null=True)
    response: str = TextField()

    class Meta:
        table = "delivery_attempts"
        manager = BucketRequired()
