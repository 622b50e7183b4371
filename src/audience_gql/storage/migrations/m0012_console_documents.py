"""Adds a column for limited tokens that may run the console's documents.

The column has a constant default, so nothing is rewritten: `api_tokens` is locked for an instant (ACCESS EXCLUSIVE).
"""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """An older process knows no documents of the console. It refuses them for every limited token."""

    dependencies = [("audience", "m0011_traces")]
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
