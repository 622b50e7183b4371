"""Adds a queue of deleted groups and custom fields whose rows are still to be deleted.

It locks `group_members` and `groups` completely, for as long as it takes to drop a constraint.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Members exist for a while after their group is deleted, so the foreign key between them is dropped."""

    dependencies = [("audience", "m0003_plans")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
