"""A refused row knows whom it is about, so that it goes with them.

The column has a constant default, so that no row is rewritten; the table is locked for an instant (ACCESS EXCLUSIVE).
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """The rows that there are go after 30 days."""

    dependencies = [("audience", "m0012_job_rounds")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
