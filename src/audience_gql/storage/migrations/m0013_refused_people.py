"""Adds hashes of the keys in a refused row, so that erasing a person also deletes the refused rows about them.

The column has a constant default, so no row is rewritten. The table is locked for an instant (ACCESS EXCLUSIVE).
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Existing rows have no hashes; they are deleted after 30 days."""

    dependencies = [("audience", "m0012_job_rounds")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
