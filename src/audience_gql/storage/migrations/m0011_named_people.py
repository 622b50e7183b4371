"""Lets the message of a refused row name people.

The column has a constant default, so no row is rewritten. The table is locked for an instant (ACCESS EXCLUSIVE).
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Existing messages name nobody."""

    dependencies = [("audience", "m0010_anniversaries")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
