"""A log that is kept for a while: how far each bucket's was pruned, what segments' sizes were before, and which log a cursor is of.

The columns come with constant defaults, so no table is rewritten.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Nothing is pruned yet."""

    dependencies = [("audience", "m0006_turns")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
