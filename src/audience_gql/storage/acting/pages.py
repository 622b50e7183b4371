"""Pages of automations and of their runs, and the figures of an automation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

import asyncpg

from audience_gql.storage.acting.models import Automation, WebhookEndpoint
from audience_gql.storage.postgres.database import Connection, Database
from audience_gql.storage.reads.keyed_rows import KeyedRows, rows_of_keys
from audience_gql.storage.reads.parent_pages import Listing, rows_of_pages
from audience_gql.storage.reads.searching import Word, has_words
from audience_gql.storage.reads.slices import Entries, Order, Slice, by_parent, entries_of

RunKey: TypeAlias = tuple[int, int]
"""A run: (bucket id, run id)."""
RunsOf: TypeAlias = tuple[int, tuple[str, ...]]
"""The runs of an automation, by its id, in one of these states; () for all states."""
FiguresOf: TypeAlias = tuple[int, datetime, datetime]
"""An automation's id, and the stretch of time in which its runs began."""
AutomationOrder: TypeAlias = Literal["NAME_ASC", "CREATED_DESC", "UPDATED_DESC"]

_ORDERS: Final[Mapping[AutomationOrder, Order]] = {
    "NAME_ASC": Order(("a.name_folded", "a.id"), is_descending=False),
    "CREATED_DESC": Order(("a.created_at", "a.id")),
    "UPDATED_DESC": Order(("a.updated_at", "a.id")),
}
_RUN_ORDER: Final = Order(("r.started_at", "r.bucket_id", "r.id"))
_AUTOMATION_COLUMNS: Final = (
    "a.id, a.workspace_id, a.name, a.name_folded, a.description, a.list_kind, a.list_id, a.on_entered, a.on_left, a.rules, a.actions, "
    "a.revision, a.is_paused, a.created_at, a.updated_at"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One automation acting for one person once."""

    bucket_id: int
    id: int
    automation_id: int
    subscriber_id: int
    state: str
    reason: str | None
    entered: bool
    cause: str
    sequence: int | None
    revision: int
    started_at: datetime
    due_at: datetime | None
    ended_at: datetime | None
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """How many runs began in a stretch of time, by what has become of them."""

    waiting: int
    done: int
    cancelled: int
    skipped: int
    failed: int
    cut_off: int

    @property
    def started(self) -> int:
        return self.waiting + self.done + self.cancelled + self.skipped + self.failed + self.cut_off


RUN_COLUMNS: Final = ", ".join(f"r.{name}" for name in RunRecord.__dataclass_fields__)


async def automations(
    database: Database,
    workspace_id: int,
    part: Slice,
    *,
    order_by: AutomationOrder,
    words: Sequence[Word],
    is_paused: bool | None,
) -> Entries[Automation]:
    """Automations that have each word in their name. `is_paused` selects paused or running ones; None selects both."""
    order = _ORDERS[order_by]
    values: list[object] = [workspace_id]
    where = f"{order.beyond(part.after, values)} AND {has_words(words, ('a.name_folded',), values)}"
    if is_paused is not None:
        where += f" AND {'' if is_paused else 'NOT '}a.is_paused"
    rows = await database.fetch(
        f"SELECT {_AUTOMATION_COLUMNS}, {order.columns} FROM automations a "
        f"WHERE a.workspace_id = $1 AND {where} ORDER BY {order.clause} {part.limit}",
        *values,
    )
    return entries_of(rows, order, _automation)


async def automations_by_ids(
    _: Database, workspace_id: int, automation_ids: Collection[int]
) -> dict[int, Automation]:
    found = await Automation.filter(workspace_id=workspace_id, id__in=list(automation_ids))
    return {automation.id: automation for automation in found}


async def endpoint_names(_: Database, workspace_id: int) -> dict[int, str]:
    """The names of all webhook endpoints, by id."""
    return {
        endpoint.id: endpoint.name for endpoint in await WebhookEndpoint.filter(workspace_id=workspace_id)
    }


async def find_automation_by_name(workspace_id: int, folded: str) -> Automation | None:
    return await Automation.get_or_none(workspace_id=workspace_id, name_folded=folded)


async def runs_of_automations(
    database: Database, workspace_id: int, wanted: Sequence[RunsOf], part: Slice
) -> dict[RunsOf, Entries[RunRecord]]:
    """The runs of each automation, the latest first."""
    found: dict[RunsOf, Entries[RunRecord]] = {}
    for states in {states for _, states in wanted}:
        chosen = [each for each in wanted if each[1] == states]
        bound: list[object] = [workspace_id, None]
        beyond = _RUN_ORDER.beyond(part.after, bound)
        if states:
            bound.append(list(states))
            beyond += f" AND r.state = ANY(${len(bound)}::text[])"
        rows_of_bucket = (
            f"SELECT {RUN_COLUMNS}, {_RUN_ORDER.columns} FROM runs r "
            f"WHERE r.bucket_id = b.id AND r.automation_id = {{parent}} AND {beyond}"
        )
        listing = Listing(rows=rows_of_bucket, order=_RUN_ORDER, part=part)
        rows = await rows_of_pages(database, [id_ for id_, _ in chosen], listing, bound)
        found |= by_parent(chosen, rows, _RUN_ORDER, run_record)
    return found


_RUNS: Final = KeyedRows(RUN_COLUMNS, "JOIN runs r ON r.bucket_id = b.id AND r.id = k.id", {"id": "bigint"})


async def runs_by_keys(
    database: Database, workspace_id: int, keys: Collection[RunKey]
) -> dict[RunKey, RunRecord]:
    rows = await rows_of_keys(database, workspace_id, keys, _RUNS)
    return {(row["bucket_id"], row["id"]): run_record(row) for row in rows}


async def figures_of_automations(
    database: Database, workspace_id: int, wanted: Collection[FiguresOf]
) -> dict[FiguresOf, RunFigures]:
    rows = await database.fetch(
        "SELECT p.number, r.state, count(*) AS runs "
        "FROM unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[]) WITH ORDINALITY AS p (id, start, until, number) "
        "CROSS JOIN buckets b JOIN runs r "
        "ON r.bucket_id = b.id AND r.automation_id = p.id AND r.started_at >= p.start AND r.started_at < p.until "
        "WHERE b.workspace_id = $1 GROUP BY p.number, r.state",
        workspace_id,
        *(list(column) for column in zip(*wanted, strict=True)),
    )
    counts: dict[int, dict[str, int]] = {}
    for row in rows:
        counts.setdefault(row["number"], {})[row["state"].lower()] = row["runs"]
    names = RunFigures.__dataclass_fields__
    return {
        each: RunFigures(**{name: counts.get(number, {}).get(name, 0) for name in names})
        for number, each in enumerate(wanted, 1)
    }


async def runs_changed_since(
    connection: Connection,
    workspace_id: int,
    automation_ids: Collection[int] | None,
    since: datetime,
    limit: int,
) -> list[RunRecord]:
    """The runs of these automations, or of all, that began or ended at this instant or later, the earliest first."""
    rows = await connection.fetch(
        f"SELECT x.* FROM buckets b CROSS JOIN LATERAL (SELECT {RUN_COLUMNS} FROM runs r "
        "WHERE r.bucket_id = b.id AND r.changed_at >= $2 AND ($3::bigint[] IS NULL OR r.automation_id = ANY($3::bigint[])) "
        "ORDER BY r.changed_at LIMIT $4) x WHERE b.workspace_id = $1 ORDER BY x.changed_at, x.bucket_id, x.id LIMIT $4",
        workspace_id,
        since,
        None if automation_ids is None else sorted(automation_ids),
        limit,
    )
    return [run_record(row) for row in rows]


def _automation(row: asyncpg.Record) -> Automation:
    return Automation._init_from_db(**row)  # noqa: SLF001  # how the ORM makes instances from its own rows


def run_record(row: asyncpg.Record) -> RunRecord:
    return RunRecord(**{name: row[name] for name in RunRecord.__dataclass_fields__})
