"""The models say what the tables are, and every table that hangs off a person begins its key with the bucket."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from tortoise.context import TortoiseContext
from tortoise.exceptions import OperationalError
from tortoise.migrations.autodetector import MigrationAutodetector

from audience_gql.storage import migrations
from audience_gql.storage.acting import models as acting_models
from audience_gql.storage.orm import (
    document_models,
    export_models,
    import_models,
    models,
    trail_models,
    work_models,
)
from audience_gql.storage.orm.base import Model
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.postgres.orm_settings import TORTOISE_ORM
from audience_gql.storage.schema import OtherSchema, is_migrated, migrate, refuse_other_schema

ROOT = Path(__file__).parents[2]
MIGRATIONS = Path(migrations.__file__).parent
OWN = sorted(path.stem for path in MIGRATIONS.glob("m[0-9]*.py"))
MODELS = [
    model
    for module in (
        models,
        work_models,
        import_models,
        export_models,
        trail_models,
        document_models,
        acting_models,
    )
    for model in vars(module).values()
    if isinstance(model, type)
    and issubclass(model, Model)
    and model is not Model
    and not model._meta.abstract
]


@pytest.mark.one_server("a cluster has its shards in the catalogue, too")
async def test_every_table_has_a_model_with_the_same_columns(database):
    rows = await database.fetch(
        "SELECT table_name, array_agg(column_name::text) AS columns FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name <> 'tortoise_migrations' GROUP BY table_name"
    )
    tables = {row["table_name"]: set(row["columns"]) for row in rows}

    assert {
        model._meta.db_table: set(model._meta.fields_db_projection.values()) for model in MODELS
    } == tables


async def test_makemigrations_would_write_nothing():
    async with TortoiseContext() as context:
        await context.init(config=TORTOISE_ORM)
        assert context.apps
        changes = await MigrationAutodetector(context.apps, TORTOISE_ORM["apps"]).changes()

    assert changes == []


@pytest.mark.slow
def test_tortoises_command_finds_the_migrations_without_a_database():
    """As a contributor runs it: in the folder of the checkout, which says where the settings are."""
    command = [str(Path(sys.executable).with_name("tortoise")), "heads"]
    without = {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "TORTOISE_ORM")
    }

    done = subprocess.run(command, cwd=ROOT, env=without, capture_output=True, text=True, check=False)

    newest = max(MIGRATIONS.glob("m*.py")).stem
    assert (done.returncode, done.stderr) == (0, "")
    assert f"audience.{newest}" in done.stdout


async def test_a_bucketed_table_begins_its_key_with_the_bucket(database):
    rows = await database.fetch(
        "SELECT i.indrelid::regclass::text AS table_name, a.attname AS first FROM pg_index i "
        "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE i.indisprimary"
    )
    first = {row["table_name"]: row["first"] for row in rows}

    bucketed = [model for model in MODELS if issubclass(model, models.BucketedModel)]
    without_key = {model._meta.db_table for model in bucketed} - first.keys()
    assert len(bucketed) == 20
    assert without_key == {"dirty"}  # of which two may be equal
    assert {first[model._meta.db_table] for model in bucketed if model is not models.Dirty} == {"bucket_id"}


@pytest.mark.parametrize("model", [model for model in MODELS if issubclass(model, models.BucketedModel)])
def test_a_query_without_its_bucket_is_refused(model):
    with pytest.raises(LookupError, match="in_bucket"):
        model.filter(subscriber_id=1)


def test_migrations_are_one_chain_in_the_order_of_their_numbers():
    names = sorted(path.stem for path in MIGRATIONS.glob("m[0-9]*.py"))
    needed = [import_module(f"{migrations.__name__}.{name}").Migration.dependencies for name in names]

    assert [int(name[1:5]) for name in names] == list(range(1, len(names) + 1))
    assert needed == [[], *([("audience", name)] for name in names[:-1])]


async def test_migrating_twice_at_once_is_harmless(database, database_url):
    await asyncio.gather(migrate(database_url), migrate(database_url))

    assert await is_migrated(database)


@pytest.mark.one_server("drops the schema, and with it the extension")
async def test_many_may_migrate_an_empty_database_at_once(empty_database_url):
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    await asyncio.gather(*(migrate(empty_database_url) for _ in range(6)))

    applied = await connection.fetch("SELECT name FROM tortoise_migrations")
    await connection.close()
    assert len(applied) == len(list(MIGRATIONS.glob("m0*.py")))


@pytest.mark.one_server("drops the schema, and with it the extension")
async def test_a_migration_that_fails_leaves_nothing_behind(empty_database_url):
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute(
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE audits (taken int)"
    )

    with pytest.raises(OperationalError, match="audits"):
        await migrate(empty_database_url)

    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    applied = await connection.fetchval("SELECT count(*) FROM tortoise_migrations")
    await connection.close()
    assert [row["tablename"] for row in tables] == ["audits", "tortoise_migrations"]
    assert applied == 0


@pytest.mark.parametrize("names", [["m0001_initial", "m0002_scale"], ["m0001_beginning"]])
async def test_a_database_of_another_version_is_refused(names, empty_database_url):
    await migrated_as(empty_database_url, names)
    before = await contents(empty_database_url)

    with pytest.raises(OtherSchema, match=f"'{database_of(empty_database_url)}' .* {names[-1]}"):
        await migrate(empty_database_url)

    assert await contents(empty_database_url) == before


@pytest.mark.one_server("drops the schema, and with it the extension")
async def test_a_database_of_another_version_is_dropped_on_request(empty_database_url):
    expected, _ = await contents(empty_database_url)
    await migrated_as(empty_database_url, ["m0001_initial", "m0002_scale"])

    assert await migrate(empty_database_url, drop_other=True)

    assert await contents(empty_database_url) == (expected, OWN)


async def test_a_database_of_this_version_is_not_dropped(empty_database_url):
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute("CREATE TABLE kept (it int)")
    await connection.close()

    assert not await migrate(empty_database_url, drop_other=True)

    assert "kept" in (await contents(empty_database_url))[0]


@pytest.mark.parametrize(
    ("names", "may_be_newer", "is_refused"),
    [
        ([], False, False),
        (OWN, False, False),
        ([*OWN, "m9999_later"], False, True),
        ([*OWN, "m9999_later"], True, False),
        (["m0001_beginning", "m9999_later"], True, True),
    ],
)
async def test_a_process_starts_only_on_a_schema_it_knows(
    names, may_be_newer, is_refused, empty_database_url
):
    await migrated_as(empty_database_url, names)
    database = await Database.open(empty_database_url, is_default=False)

    with pytest.raises(OtherSchema) if is_refused else nullcontext():
        await refuse_other_schema(database, may_be_newer=may_be_newer)

    await database.close()


async def test_what_postgres_15_has_no_words_for_in_create_table_is_there_all_the_same(database):
    storage = await database.fetch(
        "SELECT attstorage FROM pg_attribute "
        "WHERE attrelid IN ('import_chunks'::regclass, 'export_chunks'::regclass) AND attname = 'content'"
    )

    assert [row["attstorage"] for row in storage] == [
        b"e",
        b"e",
    ]  # EXTERNAL: pieces of a file are cut, not compressed


async def migrated_as(url: str, names: Sequence[str]) -> None:
    """Make the database record these migrations instead of its own."""
    connection = await asyncpg.connect(url)
    await connection.execute("DELETE FROM tortoise_migrations")
    await connection.executemany(
        "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ('audience', $1, now())",
        [(name,) for name in names],
    )
    await connection.close()


async def contents(url: str) -> tuple[list[str], list[str]]:
    """The names of the tables, and of the recorded migrations."""
    connection = await asyncpg.connect(url)
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    recorded = await connection.fetch("SELECT name FROM tortoise_migrations ORDER BY name")
    await connection.close()
    return [row["tablename"] for row in tables], [row["name"] for row in recorded]


def database_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")
