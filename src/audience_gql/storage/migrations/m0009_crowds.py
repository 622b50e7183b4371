"""Crowds that the clock moves at one instant are marked in slices, and a bucket keeps the place.

The columns come without defaults: no table is rewritten, and a bucket without a place has no crowd under way.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """No crowd is under way before."""

    dependencies = [("audience", "m0008_marked_instants")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
