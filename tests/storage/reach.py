"""Finds by parsing how many buckets a statement asks, and what a Citus cluster refuses in a statement that asks several.

It must not know where statements come from, nor which of them were tried on a cluster: whole_reads.py knows that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from sqlglot import exp

from audience_gql.storage.cluster import citus
from tests.storage.fitness import equalities, tables_of

_BLOCKS = (exp.Select, exp.Update, exp.Delete)


class Reach(IntEnum):
    """How many buckets a statement asks, as far as its text settles it."""

    NONE = 0
    """It has no bucketed table."""
    ONE = 1
    """Each bucketed table is bound to a parameter: `bucket_id = $1`. A cluster sends the statement to one machine, as it is."""
    SEVERAL = 2
    """Each one is bound to one parameter or to an array of them: `bucket_id = ANY($1)`."""
    WHOLE = 3
    """Anything else, such as all buckets of a workspace, or those of the rows of a function."""


@dataclass(frozen=True, slots=True)
class _Reference:
    """A bucketed table in one block of a statement."""

    block: int
    alias: str


def reach(tree: exp.Expr) -> Reach:
    """The reach of the bucketed table, among those of the statement, that asks most buckets."""
    names = {cte.alias for cte in tree.find_all(exp.CTE)}
    bucketed = {
        _Reference(id(block), table.alias_or_name): table.name
        for block in tree.find_all(*_BLOCKS)
        for table in tables_of(block)
        if table.name in citus.DISTRIBUTED and table.name not in names
    }
    settled: dict[_Reference, Reach] = {}
    equal = [*_equal(tree, bucketed)]
    while True:
        more = {
            reference: found
            for reference, other, block in equal
            if (found := _value(other, block, bucketed, settled)) < settled.get(reference, Reach.WHOLE)
        }
        if not more:
            break
        settled |= more
    read = [settled.get(reference, Reach.WHOLE) for reference in bucketed]
    written = [_value(value, block, bucketed, settled) for block, value in _inserted_buckets(tree)]
    return max([*read, *written], default=Reach.NONE)


def refusals(tree: exp.Expr) -> list[str]:
    """What a cluster refuses in a statement with this tree, wherever its buckets are."""
    asked = reach(tree)
    tables = {table.name for table in tree.find_all(exp.Table)}
    local = tables & LOCAL
    found = []
    if local and asked is not Reach.NONE:
        found.append(
            f"joins {', '.join(sorted(local))}, which only the coordinator has, with a bucketed table"
        )
    if asked > Reach.ONE:
        found += _refused_in_several(tree)
    return found


def refused_locks(tree: exp.Expr) -> Iterator[str]:
    """What a statement locks that would make other workspaces wait on a cluster."""
    for select in tree.find_all(exp.Select):
        tables = {table.alias_or_name: table.name for table in tables_of(select)}
        for lock in select.args.get("locks") or ():
            named = {it.name for it in lock.expressions} or tables.keys()
            if locked := {tables[it] for it in named} & set(citus.REFERENCE):
                yield f"locks rows of {', '.join(sorted(locked))}, which every machine has: this locks the whole table there"


LOCAL = frozenset({
    "api_tokens", "audits", "export_chunks", "exports", "identities", "import_chunks", "import_rejects", "imports", "tortoise_migrations", "trail_entries",
    "trusted_documents", "wanted_clearings", "wanted_fills", "workers",
})  # fmt: skip
"""The work of the processes, tokens, and the keys of people, which only the coordinator has. test_citus.py compares this with the schema."""


def _refused_in_several(tree: exp.Expr) -> Iterator[str]:
    for select in tree.find_all(exp.Select):
        if select.args.get("locks"):
            yield "locks rows of several buckets"
        if not select.expressions:
            yield "has an empty select list"
    for lateral in tree.find_all(exp.Lateral):
        inner = lateral.this.unnest() if isinstance(lateral.this, exp.Subquery) else lateral.this
        if not isinstance(inner, exp.Select):
            continue
        if inner.args.get("from_") is None and inner.args.get("from") is None:
            yield "has a LATERAL without FROM"
        if inner.args.get("limit") is not None and _stands_on_rows(lateral):
            yield "limits a LATERAL for each row of a function or of a reference table"


def _stands_on_rows(lateral: exp.Lateral) -> bool:
    """Whether a LATERAL belongs to a block that also reads a function or a reference table."""
    block = lateral.find_ancestor(*_BLOCKS)
    if block is None:
        return False
    sources = [*tables_of(block)]
    functions = [unnest for unnest in block.find_all(exp.Unnest) if unnest.find_ancestor(*_BLOCKS) is block]
    return bool(functions) or any(
        table.name in citus.REFERENCE or isinstance(table.this, exp.Func) for table in sources
    )


# ---- what a bucket equals


def _equal(
    tree: exp.Expr, bucketed: dict[_Reference, str]
) -> Iterator[tuple[_Reference, exp.Expr, exp.Expr]]:
    """(a bucketed table, what its bucket equals in every row, the block that says so)."""
    for block in tree.find_all(*_BLOCKS):
        for left, right in equalities(block):
            for column, other in ((left, right), (right, left)):
                reference = _named(column, block, bucketed)
                if reference is not None:
                    yield reference, other, block


def _named(column: exp.Expr, block: exp.Expr | None, bucketed: dict[_Reference, str]) -> _Reference | None:
    """The bucketed table whose bucket a column is: `bucket_id`, and `id` of the buckets themselves."""
    if not isinstance(column, exp.Column):
        return None
    while block is not None:
        here = {it.alias: it for it in bucketed if it.block == id(block)}
        alias = column.table or (next(iter(here)) if len(here) == 1 else "")
        if (found := here.get(alias)) is not None:
            key = "id" if bucketed[found] == "buckets" else "bucket_id"
            return found if column.name == key else None
        block = block.find_ancestor(*_BLOCKS)
    return None


def _value(
    other: exp.Expr, block: exp.Expr, bucketed: dict[_Reference, str], settled: dict[_Reference, Reach]
) -> Reach:
    """How many buckets an expression names."""
    while isinstance(other, exp.Cast | exp.Paren):
        other = other.this
    if isinstance(other, exp.Parameter | exp.Placeholder):
        return Reach.ONE
    if isinstance(other, exp.Any):
        array = other.this
        while isinstance(array, exp.Cast | exp.Paren):
            array = array.this
        return Reach.SEVERAL if isinstance(array, exp.Parameter | exp.Placeholder) else Reach.WHOLE
    reference = _named(other, block, bucketed)
    return Reach.WHOLE if reference is None else settled.get(reference, Reach.WHOLE)


def _inserted_buckets(tree: exp.Expr) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    """(the block that gives the rows, the value of their bucket) of each insertion into a bucketed table."""
    for insert in tree.find_all(exp.Insert):
        if not isinstance(insert.this, exp.Schema) or insert.this.this.name not in citus.DISTRIBUTED:
            continue
        key = "id" if insert.this.this.name == "buckets" else "bucket_id"
        position = [column.name for column in insert.this.expressions].index(key)
        rows = insert.expression
        if isinstance(rows, exp.Values):
            for row in rows.expressions:
                yield insert, row.expressions[position]
        elif isinstance(rows, exp.Select):
            yield rows, rows.expressions[position].unalias()
