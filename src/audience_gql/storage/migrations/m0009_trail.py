"""Creates the audit trail, and adds columns for tokens that networks bind and for workspaces that are being deleted.

The table is new. The columns have no default and may be null, so nothing is rewritten: `api_tokens` and `workspaces` are locked for an
instant (ACCESS EXCLUSIVE).
"""

from tortoise import migrations
from tortoise.migrations import operations

from audience_gql.storage.migrations import statements_beside


class Migration(migrations.Migration):
    """An older process neither writes entries nor checks a token's networks: stop all of them before you bind a token."""

    dependencies = [("audience", "m0008_undo")]
    operations = [operations.RunSQL(statements_beside(__file__))]
