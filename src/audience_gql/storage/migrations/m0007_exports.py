"""Creates the tables of exports.

Both tables are new, so nothing is rewritten, and no other table is locked for longer than an instant (`workspaces`, SHARE ROW EXCLUSIVE).
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """An older process does not know the tables, and needs not: exports then wait for a newer worker."""

    dependencies = [("audience", "m0006_insights")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
