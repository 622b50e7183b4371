"""Adds lanes to the queue of fills, so that new segments go before recomputes.

It locks the queue's table for a moment. The column has a constant default, so no row is rewritten.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Fills that already wait count as new segments."""

    dependencies = [("audience", "m0013_refused_people")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
