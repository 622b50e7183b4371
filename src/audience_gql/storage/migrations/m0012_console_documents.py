"""Adds a column for limited tokens that may run the console's documents.

The column has a constant default, so nothing is rewritten: `api_tokens` is locked for an instant (ACCESS EXCLUSIVE).
"""

from tortoise import migrations
from tortoise.migrations import operations

from audience_gql.storage.migrations import statements_beside


class Migration(migrations.Migration):
    """An older process knows no documents of the console. It refuses them for every limited token."""

    dependencies = [("audience", "m0011_traces")]
    operations = [operations.RunSQL(statements_beside(__file__))]
