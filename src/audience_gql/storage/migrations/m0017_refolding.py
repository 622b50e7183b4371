"""What is stored follows the rules for values: addresses are folded as mail is, blanks around texts go, zones have their present names.

It reads every person once, locks those whom it changes and the segments that it has filled anew until it ends, and rewrites no table.
"""

from tortoise import migrations
from tortoise.migrations import operations

from audience_gql.storage.refolding import refold


class Migration(migrations.Migration):
    """Nobody is merged: whom the new form of a key leaves without it is told in the log. Those who were merged before stay one."""

    dependencies = [("audience", "m0016_import_notices")]
    operations = [operations.RunPython(lambda _, editor: refold(editor.client._connection))]  # noqa: SLF001  # set work goes past the ORM, as in database.py
