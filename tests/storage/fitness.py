"""Checks by parsing whether a statement can run on a Postgres that is distributed over machines by bucket.

It must not know where statements come from: written.py reads them from the source, sent.py takes them from the driver.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import sqlglot
from sqlglot import exp

BUCKETED = frozenset({
    "subscribers", "channel_states", "subscriber_dates", "group_members", "events", "event_keys", "segment_members",
    "membership_changes", "dirty", "segment_states", "group_states", "segment_hours",
    "automation_places", "runs", "webhook_lanes", "webhook_changes", "webhook_chains", "deliveries", "delivery_attempts",
    "import_effects",
})  # fmt: skip
"""Tables that are distributed by `bucket_id`."""

COUNTERS = frozenset({"segment_states", "group_states"})
"""Tables with one row per bucket and list. A statement may read a definition's counters in all buckets: each machine sums its own."""

CONTROL = re.compile(
    r"(BEGIN|COMMIT|ROLLBACK)( ISOLATION LEVEL REPEATABLE READ( READ ONLY)?)?;?|(SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO) \w+;?"
    r"|BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = force_custom_plan"
    r"|SAVEPOINT limited; SET LOCAL statement_timeout = \d+"
    r"|SET LOCAL idle_in_transaction_session_timeout = '\d+s'"
    r"|ANALYZE \(SKIP_LOCKED\) \w+"
)
"""Statements that begin and end transactions, that set something until the end of one, and that gather statistics."""

EXEMPT = frozenset({
    "SELECT clock_timestamp()",  # the clock itself, in a separate statement
    "SELECT nextval('ids') AS first FROM generate_series(1, $1::int)",  # blocks of ids, drawn by the application
    "LOCK TABLE tortoise_migrations IN EXCLUSIVE MODE",  # one migration at a time; it locks only the ORM's own table
    "DROP SCHEMA public CASCADE; CREATE SCHEMA public",  # of the demo's own database, before it is migrated again
    # Where the primary is, and how far its replica has come; both are about one server.
    "SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint AS position, (SELECT c.system_identifier || '/' || current_database() FROM pg_control_system() c) AS system",
    "SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0')::bigint END AS position, (SELECT c.system_identifier || '/' || current_database() FROM pg_control_system() c) AS system",
    # Locks at the coordinator, which stand for those of definitions there. Ticks and fills, which connect to other machines, have none.
    "SELECT pg_advisory_xact_lock(k.id) FROM unnest($1::bigint[]) AS k (id)",
    "SELECT pg_advisory_xact_lock_shared(k.id) FROM unnest($1::bigint[]) AS k (id)",
    # Which tables have grown since Postgres last gathered their statistics.
    "SELECT t.name FROM unnest($1::text[]) AS t (name) JOIN pg_class c ON c.oid = to_regclass(t.name) WHERE pg_relation_size(c.oid) >= $2::bigint * greatest($3::bigint, 2 * c.relpages) AND pg_has_role(c.relowner, 'USAGE') ORDER BY t.name",
    "ANALYZE",  # after a bulk load; no statement of the application waits for it
})  # fmt: skip

EXEMPT_BLOCKS = frozenset({
    "SELECT d.kind FROM dirty AS d LIMIT 100000",  # a gauge for operators: whether marks pile up, anywhere
})  # fmt: skip

VOLATILE = frozenset({
    "clock_timestamp", "currval", "gen_random_uuid", "lastval", "nextval", "now", "random", "random_normal", "setval",
    "pg_advisory_xact_lock", "pg_advisory_xact_lock_shared", "statement_timestamp", "timeofday", "transaction_timestamp", "uuidv4", "uuidv7", "uuid_generate_v4", "txid_current",
    "pg_control_system", "pg_current_wal_flush_lsn", "pg_current_xact_id", "pg_is_in_recovery", "pg_last_wal_replay_lsn", "pg_notify", "pg_relation_size", "pg_sleep", "set_config", "current_setting", "setseed",
})  # fmt: skip
"""Functions whose result differs per call or per transaction, or that read or set the session. A test compares this with Postgres' own list."""

_NOW = frozenset({"CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "LOCALTIME", "LOCALTIMESTAMP"})


def problems(text: str) -> list[str]:
    """Everything that is wrong with a statement; empty if the statement is fit."""
    if text.strip() in EXEMPT or CONTROL.fullmatch(text.strip()):
        return []
    try:
        trees = parsed(text)
    except sqlglot.errors.SqlglotError as error:
        return [f"cannot be parsed: {error}"]
    if len(trees) != 1 or not isinstance(trees[0], exp.Query | exp.Insert | exp.Update | exp.Delete):
        return ["is not one SELECT, INSERT, UPDATE or DELETE"]
    tree = trees[0]
    return [
        *(f"calls {name}" for name in _volatile_calls(text) if not _only_tells_the_time(tree, text, name)),
        *_unscoped(tree),
        *_unlisted_columns(tree),
        *_insert_problems(tree),
    ]


@lru_cache(maxsize=1)
def parsed(text: str) -> list[exp.Expr | None]:
    """The trees of a text's statements. Several modules judge a statement one after the other, and parsing takes longest."""
    return sqlglot.parse(spaced(text), dialect="postgres")


def spaced(text: str) -> str:
    """The text with a space after every parameter: the parser reads `$1,$` as the beginning of a quoted string."""
    return re.sub(r"(\$\d+)", r"\1 ", text)


def calls(text: str) -> set[str]:
    """The names of the functions that a statement calls, and words that are calls without parentheses."""
    tokens = [
        token
        for token in sqlglot.tokenize(spaced(text), dialect="postgres")
        if token.token_type != sqlglot.TokenType.STRING
    ]
    called = {
        token.text.lower()
        for token, following in pairwise(tokens)
        if following.token_type == sqlglot.TokenType.L_PAREN
    }
    return called | {token.text.lower() for token in tokens if token.text.upper() in _NOW}


def _volatile_calls(text: str) -> Iterator[str]:
    for name in sorted(calls(text)):
        if name in VOLATILE or name.upper() in _NOW or "advisory" in name:
            yield name


def _only_tells_the_time(tree: exp.Expr, text: str, name: str) -> bool:
    """Whether a statement only returns the current time and does not write it."""
    if name != "statement_timestamp" or not isinstance(tree, exp.Select):
        return False
    told = [
        column.unalias().name.lower() for column in tree.selects if isinstance(column.unalias(), exp.Func)
    ]
    return told.count(name) == text.lower().count(name)


# ---- scope


def _unscoped(tree: exp.Expr) -> Iterator[str]:
    """The references to a bucketed table whose bucket is not fixed, neither by a value nor by a source with a fixed bucket."""
    names = {cte.alias for cte in tree.find_all(exp.CTE)}
    for block in tree.find_all(exp.Select, exp.Update, exp.Delete):
        tables = [table for table in tables_of(block) if table.name not in names]
        bucketed = {table.alias_or_name: table.name for table in tables if table.name in BUCKETED}
        if not bucketed or _asks_every_bucket(block):
            continue
        settled = _settled(block, frozenset(bucketed))
        for alias, name in bucketed.items():
            if alias not in settled and not (name in COUNTERS and isinstance(block, exp.Select)):
                yield f"reads {name} {alias} outside of a bucket"


def _asks_every_bucket(block: exp.Expr) -> bool:
    """Whether a block returns a separate result for each bucket, as sweeps do: each machine answers for its own buckets."""
    if block.sql(dialect="postgres") in EXEMPT_BLOCKS:
        return True
    if not isinstance(block, exp.Select) or block.args.get("joins") or block.args.get("limit"):
        return False
    group = block.args.get("group")
    told = group.expressions if group is not None else block.expressions if block.args.get("distinct") else []
    return any(isinstance(column, exp.Column) and column.name == "bucket_id" for column in told)


def tables_of(block: exp.Expr) -> Iterator[exp.Table]:
    """The tables that a block names itself, without those in its subqueries."""
    for table in block.find_all(exp.Table):
        if table.find_ancestor(exp.Select, exp.Update, exp.Delete, exp.Insert) is block:
            yield table


def _settled(block: exp.Expr, bucketed: frozenset[str]) -> set[str]:
    """The references whose bucket equals something fixed, directly or through one another."""
    equal: list[tuple[str, exp.Expr]] = []
    for left, right in equalities(block):
        for column, other in ((left, right), (right, left)):
            if isinstance(column, exp.Column) and column.name == "bucket_id":
                alias = column.table or (next(iter(bucketed)) if len(bucketed) == 1 else "")
                if alias in bucketed:
                    equal.append((alias, other))
    settled: set[str] = set()
    while True:
        more = {alias for alias, other in equal if _is_settled(other, bucketed, settled)} - settled
        if not more:
            return settled
        settled |= more


def _is_settled(other: exp.Expr, bucketed: frozenset[str], settled: set[str]) -> bool:
    """Whether an expression is fixed: a parameter, or a column of a source without a bucket, of an outer block, or of a fixed reference."""
    while isinstance(other, exp.Cast | exp.Paren):
        other = other.this
    if isinstance(other, exp.Parameter | exp.Placeholder | exp.Query):
        return True
    if isinstance(other, exp.Any):
        return _is_settled(other.this, bucketed, settled)
    if isinstance(other, exp.Column) and other.table:
        return other.table not in bucketed or other.table in settled
    return False


def equalities(block: exp.Expr) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    """The equalities that every row of this block satisfies: those in WHERE and JOINs that are combined only by AND."""
    conditions = [
        join.args["on"]
        for join in block.find_all(exp.Join)
        if join.args.get("on") is not None and join.find_ancestor(exp.Select, exp.Update, exp.Delete) is block
    ]
    if (where := block.args.get("where")) is not None:
        conditions.append(where.this)
    while conditions:
        condition = conditions.pop().unnest()
        if isinstance(condition, exp.And):
            conditions += [condition.this, condition.expression]
        elif isinstance(condition, exp.EQ):
            yield from _pairs(condition.this, condition.expression)
        elif isinstance(condition, exp.In) and (query := condition.args.get("query")) is not None:
            for column in (
                condition.this.expressions if isinstance(condition.this, exp.Tuple) else [condition.this]
            ):
                yield column, query  # its own blocks are checked separately


def _pairs(left: exp.Expr, right: exp.Expr) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
        yield from zip(left.expressions, right.expressions, strict=True)
    else:
        yield left, right


# ---- columns


def _unlisted_columns(tree: exp.Expr) -> Iterator[str]:
    """Stars over tables: during a migration, the columns and their order may differ from machine to machine."""
    for star in tree.find_all(exp.Star):
        if isinstance(star.parent, exp.Count):
            continue
        block = star.find_ancestor(exp.Select, exp.Returning)
        alias = star.parent.table if isinstance(star.parent, exp.Column) else ""
        if block is None or isinstance(block, exp.Returning):
            yield "returns *"
        elif any(table.name in BUCKETED and alias in ("", table.alias_or_name) for table in tables_of(block)):
            yield "selects * of a bucketed table"


def _insert_problems(tree: exp.Expr) -> Iterator[str]:
    for insert in tree.find_all(exp.Insert):
        if not isinstance(insert.this, exp.Schema):
            yield "inserts without naming the columns"
            continue
        table, columns = insert.this.this.name, [column.name for column in insert.this.expressions]
        if table not in BUCKETED:
            continue
        if "bucket_id" not in columns:
            yield f"inserts into {table} without a bucket"
        conflict = insert.args.get("conflict")
        keys = conflict.args.get("conflict_keys") if conflict is not None else None
        if keys and "bucket_id" not in {key.name for key in keys}:
            yield f"looks for conflicts in {table} across buckets"
