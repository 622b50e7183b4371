"""Rewrites stored conditions: `notFollowedBy` was the name of an event, and is an object with this name.

It only updates rows of `segments` and `automations` that have such a condition, so no table is locked.
"""

from tortoise import migrations
from tortoise.migrations import operations

from audience_gql.storage.migrations import statements_beside


class Migration(migrations.Migration):
    """The conditions mean the same as before, so their revisions stay."""

    dependencies = [("audience", "m0004_locations")]
    operations = [operations.RunSQL(statements_beside(__file__))]
