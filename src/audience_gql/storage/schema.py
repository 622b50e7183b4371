"""Migrates the database's schema, and checks whether it is the one that this version of the code needs.

The schema itself is in migrations/.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from typing import Final

import asyncpg
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.context import TortoiseContext
from tortoise.exceptions import IntegrityError, OperationalError
from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.recorder import MigrationRecorder
from tortoise.migrations.schema_editor.asyncpg import AsyncpgSchemaEditor
from tortoise.transactions import in_transaction

from audience_gql.storage import migrations, zone_clocks
from audience_gql.storage.postgres.database import Connection, Database, connecting
from audience_gql.storage.postgres.orm_config import MODELS, tortoise_config

_SECONDS: Final = 3600.0
"""How long one statement of a migration may run, or wait for the locks of others."""
_OWN: Final = sorted(module.name for module in pkgutil.iter_modules(migrations.__path__))
"""This version's migrations, in their order."""


class OtherSchema(Exception):
    """The database was migrated by another version, and this version cannot bring it up to date. `last` is its last migration."""

    def __init__(self, *, database: str, last: str) -> None:
        super().__init__(
            f"the database {database!r} belongs to another version of this program (its last migration is {last}): "
            "use that version, or drop the database and create it again"
        )
        self.last = last


async def migrate(url: str, *, drop_other: bool = False) -> bool:
    """Bring the schema up to date, in one transaction. When several processes call this at the same time, one of them migrates.

    `drop_other` drops everything in a database of another version, instead of raising OtherSchema. Returns whether that happened.
    Raises Unavailable.
    """
    context = TortoiseContext()
    with context:
        await context.init(config=tortoise_config(url, 2, _SECONDS, _SECONDS))
        try:
            with connecting():
                await _make_history()
            async with in_transaction("default") as client:
                # This lock lets others read which migrations were applied, but makes other migrations wait for the end of this one.
                await client.execute_query("LOCK TABLE tortoise_migrations IN EXCLUSIVE MODE")
                async with client.acquire_connection() as connection:
                    other = await _find_other(connection)
                if other and not drop_other:
                    raise other
                if other:
                    await client.execute_script("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
                    await _create_history(client)
                await MigrationExecutor(client, {"audience": MODELS}).migrate()
                async with client.acquire_connection() as connection:
                    await zone_clocks.refresh(connection)
        finally:
            await context.close_connections()
    return other is not None


async def _make_history() -> None:
    """Create the ORM's table of applied migrations beforehand: the ORM's own check for it would abort a transaction without the table."""
    for is_last in (False, True):
        try:
            async with in_transaction("default") as client:
                await _create_history(client)
        except (IntegrityError, OperationalError):  # another process created it at the same moment
            if is_last:
                raise
        else:
            return


async def _create_history(client: BaseDBAsyncClient) -> None:
    await MigrationRecorder(client).ensure_schema(AsyncpgSchemaEditor(client, atomic=False))


async def is_migrated(database: Database) -> bool:
    """Whether every migration of this version of the code is applied."""
    async with database.acquire() as connection:
        return (await _recorded(connection))[: len(_OWN)] == _OWN


async def refuse_other_schema(database: Database, *, may_be_newer: bool = False) -> None:
    """Raise OtherSchema if this version cannot migrate the database. `may_be_newer` admits a database that a later version migrated."""
    if may_be_newer and await is_migrated(database):
        return
    async with database.acquire() as connection:
        if other := await _find_other(connection):
            raise other


async def _find_other(connection: Connection) -> OtherSchema | None:
    recorded = await _recorded(connection)
    if recorded == _OWN[: len(recorded)]:
        return None
    return OtherSchema(database=await connection.fetchval("SELECT current_database()"), last=recorded[-1])


async def _recorded(connection: Connection) -> Sequence[str]:
    """The database's migrations, in the order of their numbers. None in a database that nobody has migrated yet."""
    try:
        rows = await connection.fetch(
            "SELECT m.name FROM tortoise_migrations m WHERE m.app = 'audience' ORDER BY m.name"
        )
    except asyncpg.UndefinedTableError:
        return []
    return [row["name"] for row in rows]


async def analyze(database: Database) -> None:
    """Update the planner's statistics. Needed only after a bulk load: until then, Postgres plans for empty tables."""
    async with database.acquire() as connection:
        await connection.execute("ANALYZE")
