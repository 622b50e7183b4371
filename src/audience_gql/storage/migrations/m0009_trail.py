"""Creates the audit trail, and adds columns for tokens that networks bind and for workspaces that are being deleted.

The table is new. The columns have no default and may be null, so nothing is rewritten: `api_tokens` and `workspaces` are locked for an
instant (ACCESS EXCLUSIVE).
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """An older process neither writes entries nor checks a token's networks: stop all of them before you bind a token."""

    dependencies = [("audience", "m0008_undo")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
