"""Adds the clocks of all zones, and the day on which a workspace's weeks begin.

The new column has a constant default, so no table is rewritten. `workspaces` is locked for an instant (ACCESS EXCLUSIVE).
"""

from tortoise import migrations
from tortoise.migrations import operations

from audience_gql.storage.migrations import statements_beside


class Migration(migrations.Migration):
    """The clocks themselves depend on the version of the zone data, so `zone_clocks.refresh` writes them."""

    dependencies = [("audience", "m0002_acting")]
    operations = [operations.RunSQL(statements_beside(__file__))]
