"""Creates the table of trusted documents, and adds a column for tokens that are limited to them.

The table is new. The column has a constant default, so nothing is rewritten: `api_tokens` is locked for an instant (ACCESS EXCLUSIVE).
"""

from tortoise import migrations
from tortoise.migrations import operations

from audience_gql.storage.migrations import statements_beside


class Migration(migrations.Migration):
    """An older process runs any document for every token: stop all of them before you create a limited token."""

    dependencies = [("audience", "m0009_trail")]
    operations = [operations.RunSQL(statements_beside(__file__))]
