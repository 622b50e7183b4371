"""Adds imports. Their files are stored in pieces until the rows are written, so that one process can receive and another process them.

It only creates new tables, and locks only the workspaces, while the references to them are created.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """No existing row changes."""

    dependencies = [("audience", "m0004_clearings")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
