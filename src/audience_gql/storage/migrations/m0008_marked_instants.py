"""Adds the instant of their event to marks, so that a tick need not query what the event makes due next.

The column has no default, so no table is rewritten. Older marks have null, which is always correct.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Existing marks have no instant."""

    dependencies = [("audience", "m0007_retention")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
