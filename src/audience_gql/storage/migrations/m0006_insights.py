"""Remembers since when the log of a bucket is complete, and when each segment was last read and reviewed.

The new columns are nullable and have no defaults, so no table is rewritten. `buckets` and `segments` are locked for an instant (ACCESS EXCLUSIVE).
"""

from tortoise import migrations
from tortoise.migrations import operations

from audience_gql.storage.migrations import statements_beside


class Migration(migrations.Migration):
    """A log that was shortened before counts as complete since its first change that was not."""

    dependencies = [("audience", "m0005_followers")]
    operations = [operations.RunSQL(statements_beside(__file__))]
