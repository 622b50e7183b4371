"""Marks that say when their event happened, so that a tick need not look for what it brings next.

The column comes without a default: no table is rewritten, and older marks say nothing, which is always right.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Marks of before have no instant."""

    dependencies = [("audience", "m0007_retention")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
