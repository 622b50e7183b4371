"""The first schema. It locks nothing: there is nothing yet."""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations


class Migration(migrations.Migration):
    """Composite keys and collations are beyond the ORM's own operations, so the whole schema is SQL."""

    initial = True
    operations = [operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))]
