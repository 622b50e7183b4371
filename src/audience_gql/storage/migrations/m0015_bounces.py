"""A bounce belongs to its address: what the channel was before is kept, and since when the address is another one.

The columns come without defaults, so that no table is rewritten; both tables are locked for an instant (ACCESS EXCLUSIVE). The rows of
people who bounced are then updated, which holds them until the migration is over.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Of a bounce that is there already, only that it was brought by an event is known."""

    dependencies = [("audience", "m0014_fill_lanes")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
