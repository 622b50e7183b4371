"""Migrates the database's schema, and checks whether it is the one that this version of the code needs.

The schema itself is in migrations/.
"""

from __future__ import annotations

from typing import Final

from tortoise.context import TortoiseContext
from tortoise.exceptions import IntegrityError, OperationalError
from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.recorder import MigrationRecorder
from tortoise.migrations.schema_editor.asyncpg import AsyncpgSchemaEditor
from tortoise.transactions import in_transaction

from audience_gql.storage.database import MODELS, Database, connecting, tortoise_config

_SECONDS: Final = 3600.0
"""How long one statement of a migration may run, or wait for the locks of others."""


async def migrate(url: str) -> None:
    """Bring the schema up to date, in one transaction. When several processes call this at the same time, one of them migrates. Raises Unavailable."""
    context = TortoiseContext()
    with context:
        await context.init(config=tortoise_config(url, 2, _SECONDS, _SECONDS))
        try:
            with connecting():
                await _make_history()
            async with in_transaction("default") as client:
                # This lock lets others read which migrations were applied, but makes other migrations wait for the end of this one.
                await client.execute_query("LOCK TABLE tortoise_migrations IN EXCLUSIVE MODE")
                await MigrationExecutor(client, {"audience": MODELS}).migrate()
        finally:
            await context.close_connections()


async def _make_history() -> None:
    """Create the ORM's table of applied migrations beforehand: the ORM's own check for it would abort a transaction if it were missing."""
    for is_last in (False, True):
        try:
            async with in_transaction("default") as client:
                await MigrationRecorder(client).ensure_schema(AsyncpgSchemaEditor(client, atomic=False))
        except (IntegrityError, OperationalError):  # another process created it at the same moment
            if is_last:
                raise
        else:
            return


async def is_migrated(database: Database) -> bool:
    """Whether every migration of this version of the code is applied."""
    executor = MigrationExecutor(database.client, {"audience": MODELS})
    return not await executor.plan()
