"""Adds what recognises an import in a list, and what undoing it needs: a table of what each import did to whom.

The table is new, and the new columns of `imports` are nullable or have constant defaults, so nothing is rewritten. `imports` is locked for an
instant (ACCESS EXCLUSIVE).
"""

from tortoise import migrations
from tortoise.migrations import operations

from audience_gql.storage.migrations import statements_beside


class Migration(migrations.Migration):
    """Imports that were started before cannot be undone, because nobody recorded what they did."""

    dependencies = [("audience", "m0007_exports")]
    operations = [operations.RunSQL(statements_beside(__file__))]
