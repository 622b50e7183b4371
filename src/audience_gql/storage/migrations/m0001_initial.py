"""Creates the schema. It locks nothing, because no table exists yet."""

from pathlib import Path

from tortoise import migrations
from tortoise.migrations import operations

from audience_gql.storage.migrations import DeclareModels


class Migration(migrations.Migration):
    """The ORM's own operations cannot express composite keys and collations, so the whole schema is SQL."""

    initial = True
    operations = [
        operations.RunSQL(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")),
        DeclareModels(),
    ]
