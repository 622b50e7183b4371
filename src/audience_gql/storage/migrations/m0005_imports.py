"""Imports: files of people, kept in pieces until their rows are written, so that any process may receive and any other work them off.

It makes new tables only, and locks nothing but the workspaces while their references are made.
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Nothing that is there changes."""

    dependencies = [("audience", "m0004_clearings")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
