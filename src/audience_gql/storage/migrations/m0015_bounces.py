"""Ties a bounce to its address: stores the channel's state before the bounce, and since when a person has another address.

The columns have no defaults, so no table is rewritten. Both tables are locked for an instant (ACCESS EXCLUSIVE). The channel states of
people who bounced are then updated, which locks these rows until the migration ends.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """About an existing bounce, the only thing known is whether an event set it."""

    dependencies = [("audience", "m0014_fill_lanes")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
