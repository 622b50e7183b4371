"""A date is no longer its own anniversary: segments with a condition on anniversaries, and segments that read them, are filled again.

It locks the rows of these segments and of their workspaces until it ends, and rewrites no table.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """The workers find the new members when they start. Paused and failed segments follow when they are resumed or edited."""

    dependencies = [("audience", "m0009_crowds")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
