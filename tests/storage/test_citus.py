"""Where each table belongs on a Citus cluster, judged on one machine. With CITUS_URL, all tests run on a cluster (tests/cluster.py)."""

from __future__ import annotations

import asyncpg
import pytest

from audience_gql.cli import main
from audience_gql.storage.cluster import citus
from tests.storage.fitness import BUCKETED
from tests.storage.reach import LOCAL

WITHIN_LOCAL = {
    "export_chunks_export_id_fkey",
    "import_chunks_import_id_fkey",
    "import_rejects_import_id_fkey",
}


@pytest.fixture
async def connection(empty_database_url):
    connection = await asyncpg.connect(empty_database_url)
    yield connection
    await connection.close()


@pytest.mark.one_server("a cluster has its shards in the catalogue, too")
async def test_every_table_has_a_place(connection):
    rows = await connection.fetch(
        "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    )

    assert set(citus.DISTRIBUTED) == {"buckets", *BUCKETED}
    assert {row["relname"] for row in rows} == {*citus.DISTRIBUTED, *citus.REFERENCE, *LOCAL}
    assert len({*citus.DISTRIBUTED, *citus.REFERENCE, *LOCAL}) == len(citus.DISTRIBUTED) + len(
        citus.REFERENCE
    ) + len(LOCAL)


@pytest.mark.one_server("a cluster has its shards in the catalogue, too")
async def test_every_foreign_key_is_kept_or_left_out(connection):
    rows = await connection.fetch(
        "SELECT k.conrelid::regclass::text AS table, k.conname AS name, pg_get_constraintdef(k.oid) AS definition "
        "FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace"
    )

    found = {citus.Key(**row) for row in rows if row["name"] not in WITHIN_LOCAL}
    expected = {*citus.KEPT} if await citus.version(connection) else {*citus.KEPT, *citus.LEFT_OUT}
    assert found == expected


@pytest.mark.one_server("is about a server without Citus")
def test_without_a_cluster_the_commands_say_so(database_url, redis_url, monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)

    assert main(["citus", "distribute", "--yes"]) == 1
    assert "the database has no Citus" in capsys.readouterr().err
