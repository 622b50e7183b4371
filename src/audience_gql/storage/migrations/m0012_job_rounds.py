"""Workers say when their loop of jobs last went round, so that readiness notices when it hangs.

It locks the table of workers for a moment, and rewrites nothing.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """A worker of an earlier version leaves it null until it is replaced."""

    dependencies = [("audience", "m0011_named_people")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
