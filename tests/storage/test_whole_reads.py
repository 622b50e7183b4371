"""Every statement that asks more buckets than it names was tried on a Citus cluster, and all others have nothing that a cluster refuses.

Statements that are written out are judged here, and those that are put together as they are sent (sent.py).
"""

from __future__ import annotations

import pytest

from audience_gql.storage.cluster import citus
from tests.storage.fitness import parsed, problems
from tests.storage.reach import LOCAL, Reach, reach
from tests.storage.sent import Sent
from tests.storage.test_sql_scope import sends
from tests.storage.whole_reads import asks_whole_workspaces, line_of, refused, tried
from tests.storage.written import FOLDER, never_on_a_cluster, written_statements

WRITTEN = written_statements()


@pytest.mark.parametrize(("name", "text"), WRITTEN, ids=[name for name, _ in WRITTEN])
def test_a_written_statement_is_fit_for_a_cluster(name, text):
    assert [*refused(name, text, is_written=True)] == []


def test_the_list_names_nothing_that_is_not_there():
    written = {line_of(name, text, is_written=True) for name, text in WRITTEN if asks_whole_workspaces(text)}
    files = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.py")}

    assert {line for line in tried() if " " in line} - written == set()
    assert {line.partition(":")[0] for line in tried() if " " not in line} - files == set()


def test_the_mark_of_one_machine_is_found():
    assert {file for file, _ in never_on_a_cluster()} == {
        "batches.py",
        "parent_pages.py",
        "past.py",
        "writing.py",
    }


ASKS = [
    ("SELECT s.id FROM subscribers s WHERE s.bucket_id = $1", Reach.ONE),
    ("SELECT s.id FROM subscribers s WHERE s.bucket_id = $1::bigint", Reach.ONE),
    ("SELECT b.turn FROM buckets b WHERE b.id = $1", Reach.ONE),
    ("SELECT e.id FROM subscribers s JOIN events e ON e.bucket_id = s.bucket_id WHERE s.bucket_id = $1", Reach.ONE),
    (
        "SELECT s.id FROM subscribers s WHERE s.bucket_id = $1 AND EXISTS (SELECT FROM events e WHERE e.bucket_id = s.bucket_id)",
        Reach.ONE,
    ),
    ("INSERT INTO dirty (bucket_id, kind) VALUES ($1, $2)", Reach.ONE),
    ("INSERT INTO dirty (bucket_id, kind) SELECT $1::bigint, k.kind FROM unnest($2::text[]) AS k (kind)", Reach.ONE),
    ("SELECT b.turn FROM buckets b WHERE b.id = ANY($1::bigint[])", Reach.SEVERAL),
    ("UPDATE segment_states SET members = 0 WHERE bucket_id = ANY($1) AND segment_id = $2", Reach.SEVERAL),
    ("SELECT b.id FROM buckets b WHERE b.workspace_id = $1", Reach.WHOLE),
    ("SELECT b.id FROM buckets b WHERE b.id = $1 OR b.is_open", Reach.WHOLE),
    ("SELECT s.id FROM buckets b JOIN subscribers s ON s.bucket_id = b.id WHERE b.workspace_id = $1", Reach.WHOLE),
    ("SELECT s.id FROM unnest($1::bigint[]) AS p (id) JOIN subscribers s ON s.bucket_id = p.id", Reach.WHOLE),
    ("SELECT s.id FROM subscribers s WHERE s.bucket_id = ANY(SELECT b.id FROM buckets b WHERE b.id = $1)", Reach.WHOLE),
    ("SELECT s.id FROM subscribers s WHERE s.bucket_id = $1 AND EXISTS (SELECT FROM events e WHERE e.subscriber_id = s.id)", Reach.WHOLE),
    ("INSERT INTO dirty (bucket_id, kind) SELECT k.id, $2 FROM unnest($1::bigint[]) AS k (id)", Reach.WHOLE),
    ("SELECT g.id FROM groups g WHERE g.id = $1", Reach.NONE),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ASKS, ids=[text for text, _ in ASKS])
def test_how_many_buckets_a_statement_asks(text, expected):
    (tree,) = parsed(text)

    assert tree is not None
    assert reach(tree) is expected


PLANTED = [
    ("SELECT b.id FROM buckets b WHERE b.workspace_id = $1", "was not tried on a cluster"),
    ("SELECT b.turn FROM buckets b WHERE b.id = ANY($1::bigint[]) FOR NO KEY UPDATE", "locks rows"),
    ("SELECT FROM dirty d WHERE d.bucket_id = ANY($1::bigint[])", "empty select list"),
    (
        "DELETE FROM runs r WHERE r.bucket_id = ANY($1) AND EXISTS (SELECT FROM dirty d WHERE d.bucket_id = r.bucket_id)",
        "empty select list",
    ),
    (
        "SELECT x.id FROM subscribers s CROSS JOIN LATERAL (SELECT s.id + 1 AS id) x WHERE s.bucket_id = ANY($1::bigint[])",
        "LATERAL without FROM",
    ),
    (
        "SELECT x.id FROM unnest($2::bigint[]) AS p (id) CROSS JOIN LATERAL (SELECT e.id FROM events e WHERE e.bucket_id = ANY($1::bigint[]) AND e.name_id = p.id LIMIT 1) x",
        "limits a LATERAL",
    ),
    (
        "SELECT x.id FROM segments g CROSS JOIN LATERAL (SELECT m.subscriber_id AS id FROM segment_members m WHERE m.bucket_id = ANY($1) AND m.segment_id = g.id LIMIT 1) x",
        "limits a LATERAL",
    ),
    (
        "SELECT s.id FROM subscribers s JOIN import_rejects r ON r.id = s.id WHERE s.bucket_id = $1",
        "joins import_rejects",
    ),
    ("SELECT g.id FROM groups g WHERE g.id = $1 FOR KEY SHARE", "locks the whole table"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), PLANTED, ids=[text for text, _ in PLANTED])
def test_the_rules_bite(text, problem):
    assert problems(text) == []  # no other rule

    (found,) = refused("planted.py:send", text, is_written=False)

    assert problem in found


def test_a_listed_statement_that_has_changed_is_to_be_tried_again():
    name, text = next((name, text) for name, text in WRITTEN if name == "log.py:heads")

    assert [*refused(name, text, is_written=True)] == []
    assert [*refused(name, f"{text} DESC", is_written=True)] != []


def test_a_statement_that_is_put_together_is_judged_by_its_place():
    sent = Sent()

    sends(sent.note, "SELECT b.id FROM buckets b WHERE b.workspace_id = 7", FOLDER / "planted.py")

    (found,) = sent.judged()
    assert "whole_reads.toml has no 'planted.py:send'" in found


def test_a_cluster_s_answer_is_a_line_for_the_list():
    sent = Sent()

    sends(sent.note, "SELECT b.id FROM buckets b WHERE b.workspace_id = 7", FOLDER / "planted.py")
    assert sent.tried() == set()
    sent.answered |= set(sent.by_kind)

    assert sent.tried() == {"planted.py:send"}


def test_no_key_connects_what_all_machines_have_with_what_each_has_a_part_of():
    """Otherwise a cluster refuses to write to a reference table after a statement to several shards in the same transaction."""
    for key in citus.KEPT:
        other = key.definition.partition("REFERENCES ")[2].partition("(")[0]
        kinds = [{*citus.DISTRIBUTED}, {*citus.REFERENCE}, {*LOCAL}]
        assert any({key.table, other} <= kind for kind in kinds), key.name
