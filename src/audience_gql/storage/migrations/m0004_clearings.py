"""Groups and custom fields can be deleted: a queue of what they leave behind.

It locks `group_members` and `groups` against everybody, for as long as it takes to drop a constraint.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Members outlive their group for a while, so the foreign key between them goes."""

    dependencies = [("audience", "m0003_plans")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
