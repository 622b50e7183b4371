"""The message of a refused row may name people.

The column has a constant default, so that no row is rewritten; the table is locked for an instant (ACCESS EXCLUSIVE).
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Nobody is named in the messages that there are."""

    dependencies = [("audience", "m0010_anniversaries")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
