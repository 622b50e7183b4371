"""Every statement about people is scoped by its bucket in each table reference, subqueries included, and is fit for a distributed Postgres.

The statements are collected where they are written: the .sql files, and every SQL text in the storage package's modules.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

import audience_gql.storage
from audience_gql.storage.statements import load_statements

STORAGE = Path(audience_gql.storage.__file__).parent
BUCKETED = {
    "subscribers", "channel_states", "subscriber_dates", "group_members", "events", "event_keys",
    "segment_members", "membership_changes", "dirty",
}  # fmt: skip
"""Tables whose rows belong to people. Counters (segment_states, group_states) may be summed over a workspace's buckets."""
VOLATILE = re.compile(
    r"\b(now|clock_timestamp|random|gen_random_uuid|statement_timestamp)\s*\(|current_timestamp",
    re.IGNORECASE,
)
STARTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


def statements() -> list[tuple[str, str]]:
    found = []
    for path in sorted(STORAGE.glob("*.py")):
        if path.with_suffix(".sql").exists():
            found += [(f"{path.stem}.sql:{name}", text) for name, text in load_statements(str(path)).items()]
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and node.value.startswith(STARTS)
            ):
                found.append((f"{path.name}:{node.lineno}", node.value))
    return found


def parsed(text: str) -> exp.Expression | None:
    try:
        return sqlglot.parse_one(text, dialect="postgres")
    except sqlglot.errors.ParseError:
        return None  # a part of a text that is put together around a compiled condition


STATEMENTS = [(where, text) for where, text in statements() if parsed(text) is not None]


@pytest.mark.parametrize(("where", "text"), STATEMENTS, ids=[where for where, _ in STATEMENTS])
def test_each_reference_to_a_bucketed_table_is_scoped(where, text):
    tree = parsed(text)
    assert tree is not None
    for table in tree.find_all(exp.Table):
        if table.name not in BUCKETED:
            continue
        if isinstance(table.parent, exp.Schema | exp.Insert):
            continue  # INSERT INTO table (columns…): its rows carry the bucket as a column, checked below
        scope = table.find_ancestor(exp.Select, exp.Update, exp.Delete, exp.Insert)
        assert scope is not None
        name = table.alias_or_name
        compared = {
            column.table or name
            for comparison in scope.find_all(exp.EQ, exp.In)
            for column in comparison.find_all(exp.Column)
            if column.name == "bucket_id"
        }
        assert name in compared, f"{where}: {name} is not scoped by bucket_id"


@pytest.mark.parametrize(("where", "text"), STATEMENTS, ids=[where for where, _ in STATEMENTS])
def test_nothing_volatile_and_all_columns_named(where, text):
    if text.strip() == "SELECT clock_timestamp()":
        return  # the clock itself
    assert not VOLATILE.search(text), where
    for insert in re.finditer(r"INSERT INTO \w+( AS \w+)?\s*(\(|SELECT|VALUES)", text):
        assert insert[2] == "(", f"{where}: columns are not listed"


def test_the_collection_is_not_empty():
    assert len(STATEMENTS) > 60
    assert any(where.startswith("membership.sql") for where, _ in STATEMENTS)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT s.id FROM subscribers s WHERE s.id = $1",
        "SELECT s.id FROM subscribers s WHERE s.bucket_id = $1 AND EXISTS (SELECT FROM events e WHERE e.subscriber_id = s.id)",
        "DELETE FROM dirty d WHERE d.batch = $1",
    ],
)
def test_the_rule_bites(text):
    with pytest.raises(AssertionError):
        test_each_reference_to_a_bucketed_table_is_scoped("planted", text)
