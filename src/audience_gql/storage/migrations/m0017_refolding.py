"""Rewrites stored values by the present rules: addresses fold as mail does, texts lose whitespace around them, time zones get present names.

It reads every person once and rewrites no table. Until it ends, it locks the people that it changes and the segments to be filled again.
"""

from tortoise import migrations
from tortoise.migrations import operations
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_generator.state_apps import StateApps

from audience_gql.storage.refolding import refold


async def _refold(_: StateApps, editor: BaseSchemaEditor) -> None:
    async with editor.client.acquire_connection() as connection:
        await refold(connection)


class Migration(migrations.Migration):
    """It merges nobody: a warning names each person who loses a key to another one. People who were merged earlier stay merged."""

    dependencies = [("audience", "m0016_import_notices")]
    operations = [operations.RunPython(_refold)]
