"""Adds latitude and longitude to people, with the unit vector that conditions compare.

The new columns are nullable and have no defaults, so no table is rewritten. `subscribers` is locked for an instant (ACCESS EXCLUSIVE).
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Existing people have no location."""

    dependencies = [("audience", "m0003_calendar")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
