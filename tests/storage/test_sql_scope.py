"""Every statement is fit for a Postgres that is spread over machines by bucket, and so are the tables.

Statements that are written out are judged here. Those that are put together are judged as they are sent (sent.py), and here as
the compiler makes them of random conditions.
"""

from __future__ import annotations

import os
import re

import pytest

from audience_gql.conditions.base import Condition
from audience_gql.conditions.sql.compiler import compile_filter, compile_people, compile_range
from tests.conditions.chance import Chance
from tests.conditions.world import SEGMENTS, VOCABULARY
from tests.storage.fitness import BUCKETED, VOLATILE, calls, problems
from tests.storage.sent import Sent, as_insert
from tests.storage.written import FOLDER, copies, written_statements

WRITTEN = written_statements()


@pytest.mark.parametrize(("where", "text"), WRITTEN, ids=[where for where, _ in WRITTEN])
def test_a_written_statement_is_fit(where, text):
    assert problems(text) == [], where


def test_the_statements_are_found():
    assert sum(".sql:" in where for where, _ in WRITTEN) > 25
    assert len(WRITTEN) > 90


def test_a_copy_names_its_columns():
    named = {where: {keyword.arg for keyword in call.keywords} for where, call in copies()}

    assert len(named) == 2
    assert all("columns" in keywords for keywords in named.values()), named


@pytest.mark.parametrize("seed", range(10 if os.environ.get("AUDIENCE_FUZZ_LONG") else 4))
def test_what_the_compiler_makes_is_fit(seed):
    chance = Chance(seed)
    inner: dict[int, Condition] = {}
    for segment_id in SEGMENTS:
        inner[segment_id] = chance.condition(segment_ids=list(inner), depth=1)
    conditions = {number: chance.condition(segment_ids=list(inner)) for number in range(1, 9)}

    texts = [compile_people(conditions, inner=inner, vocabulary=VOCABULARY).sql]
    for condition in conditions.values():
        texts.append(compile_range(condition, inner=inner, vocabulary=VOCABULARY).sql)
        part = compile_filter(condition, bucket="b.id", first_parameter=2, inner=inner, vocabulary=VOCABULARY)
        texts.append(
            "SELECT s.id FROM unnest($1::bigint[]) AS b (id) "
            f"JOIN subscribers s ON s.bucket_id = b.id {part.joins} WHERE {part.where}"
        )

    assert {text: found for text in texts if (found := problems(text))} == {}


PLANTED = [
    ("SELECT s.id FROM subscribers s WHERE s.id = $1", "reads subscribers s"),
    ("SELECT s.id FROM subscribers s WHERE s.bucket_id = $1 OR s.id = $2", "reads subscribers s"),
    ("SELECT s.id FROM subscribers s WHERE NOT s.bucket_id = $1", "reads subscribers s"),
    ("SELECT s.id FROM subscribers s WHERE s.bucket_id > $1", "reads subscribers s"),
    ("SELECT s.id FROM subscribers s WHERE s.bucket_id = s.bucket_id", "reads subscribers s"),
    ("SELECT e.id FROM subscribers s JOIN events e ON e.bucket_id = s.bucket_id AND e.subscriber_id = s.id", "reads events e"),
    ("SELECT e.id FROM subscribers s JOIN events e ON e.subscriber_id = s.id WHERE s.bucket_id = $1", "reads events e"),
    (
        "SELECT s.id FROM subscribers s WHERE s.bucket_id = $1 AND EXISTS (SELECT FROM events e WHERE e.subscriber_id = s.id)",
        "reads events e",
    ),
    ("SELECT s.id FROM subscribers s LEFT JOIN events e ON e.subscriber_id = s.id AND s.bucket_id = $1 WHERE s.bucket_id = $1", "reads events e"),
    ("WITH m AS (SELECT id FROM subscribers) SELECT m.id FROM m", "reads subscribers"),
    ("SELECT DISTINCT d.subscriber_id FROM dirty d", "reads dirty d"),
    ("SELECT d.bucket_id FROM dirty d", "reads dirty d"),
    ("SELECT DISTINCT d.bucket_id FROM dirty d JOIN events e ON e.subscriber_id = d.subscriber_id", "reads events e"),
    ("DELETE FROM dirty d WHERE d.kind = $1", "reads dirty d"),
    ("UPDATE segment_states SET members = 0 WHERE segment_id = $1", "reads segment_states"),
    ("DELETE FROM dirty d USING unnest($1::bigint[]) AS p (id) WHERE d.subscriber_id = p.id", "reads dirty d"),
    ("SELECT s.* FROM subscribers s WHERE s.bucket_id = $1", "selects *"),
    ("SELECT * FROM events WHERE bucket_id = $1", "selects *"),
    ("DELETE FROM dirty WHERE bucket_id = $1 RETURNING *", "returns *"),
    ("INSERT INTO dirty SELECT $1, 0, $2, $3, 'event', $4", "without naming the columns"),
    ("INSERT INTO workspaces VALUES ($1, $2)", "without naming the columns"),
    ("INSERT INTO event_keys (subscriber_id, key) VALUES ($1, $2)", "without a bucket"),
    (
        "INSERT INTO event_keys (bucket_id, subscriber_id, key) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING",
        "across buckets",
    ),
    ("UPDATE buckets SET last_instant = now() WHERE id = $1", "calls now"),
    ("UPDATE buckets SET last_instant = CURRENT_TIMESTAMP WHERE id = $1", "calls current_timestamp"),
    ("SELECT s.id FROM subscribers s WHERE s.bucket_id = $1 ORDER BY random()", "calls random"),
    ("UPDATE buckets SET last_instant = statement_timestamp() WHERE id = $1", "calls statement_timestamp"),
    (
        "WITH t AS (UPDATE buckets SET last_instant = statement_timestamp() WHERE id = $1) SELECT statement_timestamp()",
        "calls statement_timestamp",
    ),
    ("INSERT INTO groups (id, name) VALUES (nextval('ids'), $1)", "calls nextval"),
    ("SELECT pg_advisory_xact_lock($1)", "advisory"),
    ("SELECT pg_try_advisory_lock($1)", "advisory"),
    ("SELECT set_config('jit', 'off', false)", "calls set_config"),
    ("SELECT pg_notify('a', 'b')", "calls pg_notify"),
    ("SET statement_timeout = 5", "is not one"),
    ("NOTIFY changes", "is not one"),
    ("LISTEN changes", "is not one"),
    ("LOCK TABLE buckets", "is not one"),
    ("CREATE TRIGGER t AFTER INSERT ON events EXECUTE FUNCTION f()", "is not one"),
    ("DELETE FROM groups WHERE id = $1; DELETE FROM groups WHERE id = $2", "is not one"),
    ("SELECT s.id FROM subscribers s WHERE s.bucket_id = $1 AND (", "cannot be parsed"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), PLANTED, ids=[text for text, _ in PLANTED])
def test_the_rules_bite(text, problem):
    assert any(problem in found for found in problems(text)), problems(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT s.id FROM subscribers s WHERE (s.bucket_id = $1 AND (s.id = $2 OR s.id = $3))",
        "SELECT c.id FROM unnest($1::bigint[]) AS b (id) CROSS JOIN LATERAL (SELECT s.id FROM subscribers s WHERE s.bucket_id = b.id) c",
        "SELECT e.id FROM subscribers s JOIN events e ON (e.bucket_id, e.subscriber_id) = (s.bucket_id, s.id) WHERE s.bucket_id = $1",
        "SELECT sum(t.members) FROM segment_states t WHERE t.segment_id = $1",
        "SELECT b.id FROM (SELECT DISTINCT d.bucket_id FROM dirty d) m JOIN buckets b ON b.id = m.bucket_id",
        "SELECT count(*) FROM (SELECT d.kind FROM dirty d LIMIT 100000) m",
        "SELECT 'now(' || g.name FROM groups g",
        "SELECT statement_timestamp() AS asked_at, w.id FROM workspaces w WHERE w.id = $1",
    ],
)
def test_the_rules_let_pass_what_is_fit(text):
    assert problems(text) == []


# ---- what is sent


def sends(note, text, file):
    """Runs a call of the application's, as far as its file tells, that sends this statement."""
    scope = {"note": note, "text": text}
    exec(compile("def send():\n    note(text)", str(file), "exec"), scope)  # noqa: S102  # a module of ours that is not there
    scope["send"]()


def test_a_statement_of_the_applications_is_noted_and_judged():
    sent = Sent()

    sends(sent.note, "SELECT s.id FROM subscribers s WHERE s.id = 7", FOLDER / "planted.py")
    sends(sent.note, "SELECT s.id FROM subscribers s WHERE s.id = 8", FOLDER / "planted.py")
    sent.note("SELECT e.id FROM events e")  # a test's own

    (found,) = sent.judged()
    assert found.startswith("reads subscribers s outside of a bucket")
    assert sent.lines == {("planted.py", 2)}


def test_a_statement_from_outside_of_storage_is_noticed():
    sent = Sent()

    sends(sent.note, "SELECT g.id FROM groups g WHERE g.id = $1", FOLDER.parent / "audience" / "planted.py")

    assert [found for found in sent.judged() if "outside of storage" in found]


def test_of_one_sender_some_kinds_are_kept_and_of_another_its_own():
    sent = Sent()

    for number in range(100):
        sends(
            sent.note, f"SELECT g.id FROM groups g WHERE {'true AND ' * number} true", FOLDER / "planted.py"
        )
    sends(sent.note, "SELECT s.id FROM subscribers s", FOLDER / "another.py")

    assert 1 < len(sent.by_kind) < 50
    assert "SELECT s.id FROM subscribers s" in sent.by_kind


def test_a_place_that_sends_nothing_is_noticed():
    assert any("evaluation.py" in found for found in Sent().unseen())


def test_a_copy_is_judged_like_an_insert():
    assert problems(as_insert("events", ("bucket_id", "id"))) == []
    assert problems(as_insert("events", ("id",))) == ["inserts into events without a bucket"]
    assert problems(as_insert("events", None)) == ["inserts without naming the columns"]


# ---- migrations


ACTS = re.compile(
    r"^\s*(CREATE (OR REPLACE )?(CONSTRAINT )?(TRIGGER|FUNCTION|PROCEDURE|RULE|EVENT)|NOTIFY|LISTEN|DO|SET|RESET)\b|advisory|set_config",
    re.IGNORECASE,
)


def acting(text: str) -> list[str]:
    """The statements of a migration that would act by themselves, or leave the session changed."""
    return [part for part in re.sub(r"--.*", "", text).split(";") if ACTS.search(part)]


@pytest.mark.parametrize("path", sorted((FOLDER / "migrations").glob("*.sql")), ids=lambda path: path.name)
def test_a_migration_leaves_nothing_that_acts_by_itself(path):
    assert acting(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TRIGGER t AFTER INSERT ON events EXECUTE FUNCTION f()",
        "CREATE OR REPLACE FUNCTION f() RETURNS trigger",
        "SELECT pg_advisory_lock(1)",
        "NOTIFY changes",
        "DO $$ BEGIN END $$",
        "SET lock_timeout = '1s'",
    ],
)
def test_what_acts_by_itself_is_noticed(text):
    assert acting(f"-- a migration\nUPDATE groups\nSET name = 'a';\n{text};\n") == [f"\n{text}"]


# ---- the database


async def test_postgres_calls_nothing_volatile_that_the_rules_do_not_know(database):
    called = set().union(*(calls(text) for _, text in WRITTEN))

    rows = await database.fetch(
        "SELECT DISTINCT proname FROM pg_proc WHERE provolatile = 'v' AND proname = ANY($1::text[])",
        sorted(called),
    )

    assert {row["proname"] for row in rows} - {"get_shard_id_for_distribution_column"} <= VOLATILE  # of Citus


@pytest.mark.one_server("a cluster has its shards in the catalogue, too")
async def test_the_schema_has_nothing_that_acts_by_itself(database):
    acting = await database.fetch(
        "SELECT t.tgname FROM pg_trigger t WHERE NOT t.tgisinternal "
        "UNION ALL SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'public' "
        "UNION ALL SELECT r.rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class AND c.relkind = 'r' AND c.oid >= 16384 "
        "UNION ALL SELECT e.evtname FROM pg_event_trigger e"
    )
    by_default = await database.fetch(
        "SELECT d.adrelid::regclass::text AS table_name, pg_get_expr(d.adbin, d.adrelid) AS value FROM pg_attrdef d "
        "WHERE d.adrelid::regclass::text <> 'tortoise_migrations'"
    )

    assert acting == []
    assert [row for row in by_default if "(" in row["value"]] == []


async def test_whatever_is_unique_in_a_bucketed_table_is_so_within_its_bucket(database):
    rows = await database.fetch(
        "SELECT i.indrelid::regclass::text AS table_name, i.indexrelid::regclass::text AS index_name, "
        "EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) AND a.attname = 'bucket_id') AS has_bucket "
        "FROM pg_index i WHERE i.indisunique AND i.indrelid::regclass::text = ANY($1::text[])",
        sorted(BUCKETED),
    )

    assert {row["table_name"] for row in rows} == BUCKETED - {"dirty"}  # of which two may be equal
    assert [row["index_name"] for row in rows if not row["has_bucket"]] == []


@pytest.mark.one_server("a cluster has its shards in the catalogue, too")
async def test_every_table_with_a_bucket_is_one_that_the_rules_know(database):
    rows = await database.fetch(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'bucket_id'"
    )

    assert {row["table_name"] for row in rows} == BUCKETED | {"identities"}  # which is kept by workspace
