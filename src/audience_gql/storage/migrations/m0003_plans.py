"""Ticks that cost less: told whether anything was defined anew, and whether events wait for their own time; marks without a key.

The columns come with constant defaults, so no table is rewritten; the marks are locked while their index is made.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Workspaces begin at version 0, and every bucket looks for events ahead once."""

    dependencies = [("audience", "m0002_scale")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
