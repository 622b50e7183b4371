"""Adds retention of the log: how far each bucket's log is pruned, the sizes of segments before that, and which log a cursor belongs to.

The columns have constant defaults, so no table is rewritten.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Nothing is pruned yet."""

    dependencies = [("audience", "m0006_turns")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
