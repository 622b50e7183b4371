"""Adds automations: their definitions, how far each has read the log of each bucket, their runs, and webhooks.

The new columns of existing tables have constant defaults, so no table is rewritten. Each of these tables is locked for an instant
(ACCESS EXCLUSIVE).
"""

from tortoise import migrations
from tortoise.migrations import operations

from audience_gql.storage.migrations import statements_beside


class Migration(migrations.Migration):
    """Older entries of the log have no `unchanged_at`, so a hold cannot begin with them."""

    dependencies = [("audience", "m0001_initial")]
    operations = [operations.RunSQL(statements_beside(__file__))]
