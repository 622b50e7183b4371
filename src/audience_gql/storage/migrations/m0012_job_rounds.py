"""Adds when a worker's job loop last ran, so that readiness notices when the loop hangs.

It locks the table of workers for a moment, and rewrites nothing.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """The column stays null for workers of an earlier version."""

    dependencies = [("audience", "m0011_named_people")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
