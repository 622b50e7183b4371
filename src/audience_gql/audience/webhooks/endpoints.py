"""Creates, edits, enables, disables, tests and deletes endpoints of webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from audience_gql.audience.definitions.readers import automations_sending_to
from audience_gql.audience.definitions.segments import InUse
from audience_gql.audience.failures import Failure, InvalidInput, Issue, NotFound
from audience_gql.audience.names import name_issues, name_taken
from audience_gql.audience.people.keys import UNSET, Unset
from audience_gql.audience.ports import Attempt, OutgoingMessage, Ports, Sender
from audience_gql.audience.trail import portraits
from audience_gql.audience.trail.entries import Change, EntryKind, Portrait, record
from audience_gql.audience.webhooks.forming import valid_secrets
from audience_gql.audience.webhooks.messages import MessageIds, check_body
from audience_gql.conditions.values import fold
from audience_gql.storage import buckets, clearing, definitions
from audience_gql.storage.acting import endpoints
from audience_gql.storage.acting.models import WebhookEndpoint
from audience_gql.storage.cluster import row_locks
from audience_gql.storage.orm.models import Workspace
from audience_gql.storage.postgres.database import UNIQUE_VIOLATION, Connection, Transaction

ENDPOINTS_A_WORKSPACE: Final = 50
URL_LIMIT: Final = 2_000
SECRET_OVERLAP: Final = timedelta(hours=24)
"""How long the old secret still signs after a rotation."""

WhatWaits: TypeAlias = Literal["SEND", "DROP"]


class EndpointConflict(Failure):
    """The endpoint was edited after the revision that this edit is based on."""

    def __init__(self, endpoint_id: int, revision: int) -> None:
        super().__init__(f"the webhook endpoint is now at revision {revision}", ("if_revision",))
        self.endpoint_id = endpoint_id


@dataclass(frozen=True, slots=True, kw_only=True)
class WithSecret:
    """An endpoint with the secret that its caller sees only once."""

    endpoint: WebhookEndpoint
    secret: str


async def create_endpoint(
    *, ports: Ports, sender: Sender, workspace: Workspace, name: str, url: str
) -> WithSecret:
    """Create an enabled endpoint. Nothing is sent to it until an automation names it. Raises InvalidInput, NameTaken."""

    async def work(transaction: Transaction) -> WithSecret:
        connection = transaction.connection
        await definitions.lock_workspace(connection, workspace.id)
        if await WebhookEndpoint.filter(workspace_id=workspace.id).count() >= ENDPOINTS_A_WORKSPACE:
            message = f"a workspace has at most {ENDPOINTS_A_WORKSPACE} webhook endpoints; delete one that is not needed"
            raise InvalidInput((Issue(code="TOO_MANY", message=message, path=()),))
        now = await ports.clock.now(connection)
        row = await WebhookEndpoint.create(
            id=await ports.database.ids.one(connection),
            workspace_id=workspace.id,
            name=name.strip(),
            name_folded=fold(name.strip()),
            url=url,
            secret=sender.new_secret(),
            created_at=now,
            updated_at=now,
        )
        await _record(ports, transaction, "WEBHOOK_ENDPOINT_CREATED", row, before=None, now=now)
        return WithSecret(endpoint=row, secret=row.secret)

    if issues := [*name_issues(name), *_url_issues(sender, url)]:
        raise InvalidInput(tuple(issues))
    try:
        return await ports.database.run(work)
    except UNIQUE_VIOLATION as error:
        raise name_taken("webhook endpoint", name) from error


async def update_endpoint(
    *,
    ports: Ports,
    sender: Sender,
    workspace: Workspace,
    endpoint_id: int | None,
    name: str | Unset | None = UNSET,
    url: str | Unset | None = UNSET,
    if_revision: int | None = None,
) -> WebhookEndpoint:
    """Change what is given. Messages that wait are sent to the new URL. Raises NotFound, InvalidInput, NameTaken, EndpointConflict."""

    async def work(transaction: Transaction) -> WebhookEndpoint:
        row = await _locked(transaction.connection, workspace, endpoint_id)
        if if_revision is not None and if_revision != row.revision:
            raise EndpointConflict(row.id, row.revision)
        if issues:
            raise InvalidInput(tuple(issues))
        before = portraits.of_endpoint(row)
        if not isinstance(name, Unset):
            row.name = (name or "").strip()
            row.name_folded = fold(row.name)
        changed = ["name", "name_folded", "revision", "updated_at"]
        if not isinstance(url, Unset) and url != row.url:
            row.url, row.failing_since = url or "", None
            changed += ["url", "failing_since"]
        row.revision += 1
        row.updated_at = await ports.clock.now(transaction.connection)
        await row_locks.take(transaction.connection, [row.id])
        await row.save(update_fields=changed)  # the rest belongs to couriers
        await _record(ports, transaction, "WEBHOOK_ENDPOINT_EDITED", row, before=before, now=row.updated_at)
        return row

    issues = [] if isinstance(name, Unset) else name_issues(name)
    issues += [] if isinstance(url, Unset) else _url_issues(sender, url or "")
    try:
        return await ports.database.run(work)
    except UNIQUE_VIOLATION as error:
        raise name_taken("webhook endpoint", str(name)) from error


async def rotate_secret(
    *, ports: Ports, sender: Sender, workspace: Workspace, endpoint_id: int | None
) -> WithSecret:
    """Replace the secret. For 24 hours, messages are signed with the old one as well. One that was rotated before ends now.

    Raises NotFound.
    """

    async def work(transaction: Transaction) -> WithSecret:
        row = await _locked(transaction.connection, workspace, endpoint_id)
        now = await ports.clock.now(transaction.connection)
        row.previous_secret, row.previous_until = row.secret, now + SECRET_OVERLAP
        row.secret = sender.new_secret()
        await row.save(update_fields=["secret", "previous_secret", "previous_until"])
        await _record(
            ports, transaction, "WEBHOOK_SECRET_ROTATED", row, before=portraits.of_endpoint(row), now=now
        )
        return WithSecret(endpoint=row, secret=row.secret)

    return await ports.database.run(work)


async def disable_endpoint(*, ports: Ports, workspace: Workspace, endpoint_id: int | None) -> WebhookEndpoint:
    """Send nothing more to an endpoint. Its messages wait. An attempt that is under way is not stopped. Raises NotFound."""

    async def work(transaction: Transaction) -> WebhookEndpoint:
        row = await _locked(transaction.connection, workspace, endpoint_id)
        if row.is_enabled:
            before = portraits.of_endpoint(row)
            row.is_enabled, row.disabled_reason = False, None
            await row.save(update_fields=["is_enabled", "disabled_reason"])
            now = await ports.clock.now(transaction.connection)
            await _record(ports, transaction, "WEBHOOK_ENDPOINT_DISABLED", row, before=before, now=now)
        return row

    return await ports.database.run(work)


async def enable_endpoint(
    *, ports: Ports, workspace: Workspace, endpoint_id: int | None, waiting: WhatWaits
) -> WebhookEndpoint:
    """Enable a disabled endpoint, and send what waits from the start of the schedule, or drop it. One that is enabled stays as it is.

    Raises NotFound.
    """

    async def work(transaction: Transaction) -> WebhookEndpoint:
        connection = transaction.connection
        row = await _locked(connection, workspace, endpoint_id)
        if row.is_enabled:
            return row
        bucket_ids = await buckets.bucket_ids(connection, workspace.id)
        await endpoints.lock_lanes(connection, bucket_ids, row.id)
        now = await ports.clock.now(connection)
        wanted = endpoints.retry_waiting if waiting == "SEND" else endpoints.drop_waiting
        await wanted(connection, bucket_ids, row.id, now)
        before = portraits.of_endpoint(row)
        row.is_enabled, row.disabled_reason, row.failing_since = True, None, None
        await row_locks.take(connection, [row.id])
        await row.save(update_fields=["is_enabled", "disabled_reason", "failing_since"])
        await _record(ports, transaction, "WEBHOOK_ENDPOINT_ENABLED", row, before=before, now=now)
        return row

    return await ports.database.run(work)


async def delete_endpoint(*, ports: Ports, workspace: Workspace, endpoint_id: int | None) -> None:
    """Delete an endpoint. Its messages are deleted in the background, and those that wait are never sent. Raises NotFound, InUse."""

    async def work(transaction: Transaction) -> None:
        connection = transaction.connection
        row = await _locked(connection, workspace, endpoint_id)
        if automation_ids := await automations_sending_to(workspace.id, row.id):
            raise InUse((), automation_ids)
        await row.delete()
        await clearing.want(connection, workspace.id, "endpoint", row.id)
        change = Change(
            kind="WEBHOOK_ENDPOINT_DELETED",
            object_id=row.id,
            object_name=row.name,
            before=portraits.of_endpoint(row),
        )
        await record(ports, transaction, workspace.id, await ports.clock.now(connection), change)
        transaction.after_commit(lambda: ports.jobs.clear(workspace.id))

    await ports.database.run(work)


async def test_endpoint(
    *, ports: Ports, sender: Sender, workspace: Workspace, endpoint_id: int | None, ids: MessageIds
) -> Attempt:
    """Send a signed test message now, and return how the receiver answered. It is not stored, and disables nothing. Raises NotFound."""
    async with ports.database.acquire() as connection:
        row = await endpoints.find_endpoint(workspace.id, endpoint_id)
        if row is None:
            raise _not_found()
        now = await ports.clock.now(connection)
        number = await ports.database.ids.one(connection)
    message = OutgoingMessage(
        url=row.url,
        message_id=ids.encode("message", 0, number, workspace.log_epoch),  # no bucket has the id 0
        body=check_body(row, now, ids),
        secrets=valid_secrets(row, now),
        sent_at=now,
    )
    return await sender.send(message)


async def _locked(connection: Connection, workspace: Workspace, endpoint_id: int | None) -> WebhookEndpoint:
    """An endpoint that no other caller changes before the end of the transaction. Raises NotFound."""
    await definitions.lock_workspace(connection, workspace.id)
    row = await endpoints.find_endpoint(workspace.id, endpoint_id)
    if row is None:
        raise _not_found()
    return row


async def _record(
    ports: Ports,
    transaction: Transaction,
    kind: EntryKind,
    row: WebhookEndpoint,
    *,
    before: Portrait | None,
    now: datetime,
) -> None:
    after = portraits.of_endpoint(row)
    change = Change(kind=kind, object_id=row.id, object_name=row.name, before=before, after=after)
    await record(ports, transaction, row.workspace_id, now, change)


def _not_found() -> Failure:
    return NotFound("there is no webhook endpoint with this id", ("id",))


def _url_issues(sender: Sender, url: str) -> list[Issue]:
    path = ("url",)
    if not url:
        return [Issue(code="REQUIRED", message="a URL is required", path=path)]
    if len(url) > URL_LIMIT:
        message = f"a URL has at most {URL_LIMIT:,} characters, not {len(url):,}"
        return [Issue(code="OUT_OF_RANGE", message=message, path=path)]
    refusal = sender.check_url(url)
    return [] if refusal is None else [Issue(code="MALFORMED", message=refusal, path=path)]
