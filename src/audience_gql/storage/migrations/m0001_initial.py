"""Creates the schema. It locks nothing, because no table exists yet."""

from tortoise import migrations
from tortoise.migrations import operations

from audience_gql.storage.migrations import DeclareModels, statements_beside


class Migration(migrations.Migration):
    """The ORM's own operations cannot express composite keys and collations, so the whole schema is SQL."""

    initial = True
    operations = [
        operations.RunSQL(statements_beside(__file__)),
        DeclareModels(),
    ]
