"""Makes ticks cheaper: columns tell whether a definition changed and whether events lie in the future, and marks lose their key.

The columns have constant defaults, so no table is rewritten. The marks are locked while their index is built.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Workspaces begin at version 0, and every bucket looks for future events once."""

    dependencies = [("audience", "m0002_scale")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
