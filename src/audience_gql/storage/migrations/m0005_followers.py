"""Rewrites stored conditions: `notFollowedBy` was the name of an event, and is an object with this name.

It only updates rows of `segments` and `automations` that have such a condition, so no table is locked.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """The conditions mean the same as before, so their revisions stay."""

    dependencies = [("audience", "m0004_locations")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
