"""The queue of fills has lanes, so that new segments go before recomputes.

It locks the queue's table for a moment. The column has a constant default: no row is rewritten.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """What waits already counts as new."""

    dependencies = [("audience", "m0013_refused_people")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
