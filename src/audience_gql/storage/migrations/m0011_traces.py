"""Adds columns for the trace that marks, changes in the outbox and ticks come from.

The columns may be null and have no default, so nothing is rewritten: each table is locked for an instant (ACCESS EXCLUSIVE).
"""

from tortoise import migrations
from tortoise.migrations import operations

from audience_gql.storage.migrations import statements_beside


class Migration(migrations.Migration):
    """An older process leaves the columns null."""

    dependencies = [("audience", "m0010_documents")]
    operations = [operations.RunSQL(statements_beside(__file__))]
