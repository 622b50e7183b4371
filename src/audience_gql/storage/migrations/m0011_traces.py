"""Adds columns for the trace that marks, changes in the outbox and ticks come from.

The columns may be null and have no default, so nothing is rewritten: each table is locked for an instant (ACCESS EXCLUSIVE).
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """An older process leaves the columns null."""

    dependencies = [("audience", "m0010_documents")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
