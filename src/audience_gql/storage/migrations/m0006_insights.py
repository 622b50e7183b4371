"""Remembers since when the log of a bucket is complete, and when each segment was last read and reviewed.

The new columns are nullable and have no defaults, so no table is rewritten. `buckets` and `segments` are locked for an instant (ACCESS EXCLUSIVE).
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """A log that was shortened before counts as complete since its first change that was not."""

    dependencies = [("audience", "m0005_followers")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
