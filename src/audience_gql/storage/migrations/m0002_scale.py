"""Adds a queue of fills, so that looking for work costs nothing with many buckets and workers, and a table of what audits found.

It holds its locks only as long as it takes to read the ids of segments.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Every segment is put into the queue once. The worker that takes it does what there is to do, if anything."""

    dependencies = [("audience", "m0001_initial")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
