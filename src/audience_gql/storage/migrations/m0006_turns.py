"""Lets ticks look only at edges that are due: a bucket counts its turns, so that a tick knows whether its remembered horizon is valid.

The column has a constant default, so no table is rewritten.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Every bucket begins at turn 0."""

    dependencies = [("audience", "m0005_imports")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
