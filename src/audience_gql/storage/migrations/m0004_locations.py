"""Adds latitude and longitude to people, with the unit vector that conditions compare.

The new columns are nullable and have no defaults, so no table is rewritten. `subscribers` is locked for an instant (ACCESS EXCLUSIVE).
"""

from tortoise import migrations
from tortoise.migrations import operations

from audience_gql.storage.migrations import statements_beside


class Migration(migrations.Migration):
    """Existing people have no location."""

    dependencies = [("audience", "m0003_calendar")]
    operations = [operations.RunSQL(statements_beside(__file__))]
