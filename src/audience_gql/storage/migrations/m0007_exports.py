"""Creates the tables of exports.

Both tables are new, so nothing is rewritten, and no other table is locked for longer than an instant (`workspaces`, SHARE ROW EXCLUSIVE).
"""

from tortoise import migrations
from tortoise.migrations import operations

from audience_gql.storage.migrations import statements_beside


class Migration(migrations.Migration):
    """An older process does not know the tables, and needs not: exports then wait for a newer worker."""

    dependencies = [("audience", "m0006_insights")]
    operations = [operations.RunSQL(statements_beside(__file__))]
