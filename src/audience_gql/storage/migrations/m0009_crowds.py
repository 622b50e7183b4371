"""Lets ticks mark a crowd, which the clock moves at one instant, in slices: a bucket remembers how far it has come.

The columns have no defaults, so no table is rewritten. Null means that no crowd is being marked.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """No crowd is being marked before this migration."""

    dependencies = [("audience", "m0008_marked_instants")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
