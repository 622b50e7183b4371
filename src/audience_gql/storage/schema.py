"""The database's schema: brought up to date, and compared with what this version of the code was written for.

What it consists of is in migrations/.
"""

from __future__ import annotations

from typing import Final

from tortoise.context import TortoiseContext
from tortoise.exceptions import IntegrityError, OperationalError
from tortoise.migrations.executor import MigrationExecutor
from tortoise.transactions import in_transaction

from audience_gql.storage.database import MODELS, Database, connecting, tortoise_config

_SECONDS: Final = 3600.0
"""How long one statement of a migration may take, or wait for somebody else's."""


async def migrate(url: str) -> None:
    """Bring the schema up to date: all or nothing, and once, however many processes ask at the same time. Raises Unavailable."""
    context = TortoiseContext()
    with context:
        await context.init(config=tortoise_config(url, 2, _SECONDS, _SECONDS))
        try:
            with connecting():
                await _make_history()
            async with in_transaction("default") as client:
                # Others may read meanwhile which migrations there are; who wants to migrate waits for the end of this one.
                await client.execute_query("LOCK TABLE tortoise_migrations IN EXCLUSIVE MODE")
                await MigrationExecutor(client, {"audience": MODELS}).migrate()
        finally:
            await context.close_connections()


async def _make_history() -> None:
    """Make the ORM's own table, which it looks for in a way that would end a transaction without it."""
    for is_last in (False, True):
        try:
            async with in_transaction("default") as client:
                executor = MigrationExecutor(client, {"audience": MODELS})
                await executor.recorder.ensure_schema(executor._schema_editor(atomic=False))  # noqa: SLF001  # it has no public door for this
        except (IntegrityError, OperationalError):  # somebody else made it at the same moment
            if is_last:
                raise
        else:
            return


async def is_migrated(database: Database) -> bool:
    """Whether the schema is the one that this version of the code was written for."""
    executor = MigrationExecutor(database.client, {"audience": MODELS})
    return not await executor.plan()
