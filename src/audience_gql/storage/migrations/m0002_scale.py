"""Many buckets and many workers: a queue of fills, so that looking for work costs nothing, and audits with what they found.

It locks nothing for longer than it takes to read the ids of segments.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Every segment is put into the queue once: whoever works it off finds what there is to do, or nothing."""

    dependencies = [("audience", "m0001_initial")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
