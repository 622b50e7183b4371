"""Adds notices to imports, about rows that were written except for some part.

The columns have constant defaults, so no row is rewritten. Both tables are locked for an instant (ACCESS EXCLUSIVE).
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Before this migration, such rows were refused."""

    dependencies = [("audience", "m0015_bounces")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
