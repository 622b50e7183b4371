"""An import tells of rows that were written but for some part.

The columns have constant defaults, so that no row is rewritten; both tables are locked for an instant (ACCESS EXCLUSIVE).
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Before, such rows were refused."""

    dependencies = [("audience", "m0015_bounces")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
