"""Pages of endpoints of webhooks, endpoints by id and by name, and the automations that send to them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from audience_gql.storage.acting.models import Automation, WebhookEndpoint
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.reads.slices import Entries, Order, Slice, entries_of

_COLUMNS: Final = (
    "e.id, e.workspace_id, e.name, e.name_folded, e.url, e.secret, e.previous_secret, e.previous_until, e.is_enabled, e.disabled_reason, "
    "e.failing_since, e.revision, e.created_at, e.updated_at"
)
_ORDER: Final = Order(("e.name_folded", "e.id"), is_descending=False)


async def endpoints(
    database: Database, workspace_id: int, part: Slice, *, is_enabled: bool | None
) -> Entries[WebhookEndpoint]:
    """Endpoints by name. `is_enabled` selects enabled or disabled ones; None selects both."""
    values: list[object] = [workspace_id, is_enabled]
    beyond = _ORDER.beyond(part.after, values)
    rows = await database.fetch(
        f"SELECT {_COLUMNS}, {_ORDER.columns} FROM webhook_endpoints e "
        f"WHERE e.workspace_id = $1 AND ($2::boolean IS NULL OR e.is_enabled = $2) AND {beyond} ORDER BY {_ORDER.clause} {part.limit}",
        *values,
    )
    return entries_of(
        rows,
        _ORDER,
        lambda row: WebhookEndpoint._init_from_db(**row),  # noqa: SLF001  # how the ORM makes instances from its own rows
    )


async def endpoints_by_ids(
    _: Database, workspace_id: int, endpoint_ids: Collection[int]
) -> dict[int, WebhookEndpoint]:
    found = await WebhookEndpoint.filter(workspace_id=workspace_id, id__in=list(endpoint_ids))
    return {endpoint.id: endpoint for endpoint in found}


async def find_endpoint_by_name(workspace_id: int, folded: str) -> WebhookEndpoint | None:
    return await WebhookEndpoint.get_or_none(workspace_id=workspace_id, name_folded=folded)


async def automations_by_endpoints(
    _: Database, workspace_id: int, endpoint_ids: Collection[int]
) -> dict[int, list[Automation]]:
    """The automations that send to each endpoint, by name."""
    found: dict[int, list[Automation]] = {endpoint_id: [] for endpoint_id in endpoint_ids}
    for row in await Automation.filter(workspace_id=workspace_id).order_by("name_folded"):
        named = {action["webhook"]["endpoint"] for action in row.actions if "webhook" in action}
        for endpoint_id in named & found.keys():
            found[endpoint_id].append(row)
    return found
