"""The migration of `notFollowedBy` gives stored conditions their new form, and touches nothing that only looks like the old one."""

from __future__ import annotations

import json
from pathlib import Path

from audience_gql.storage import migrations

_SQL = (Path(migrations.__file__).parent / "m0005_followers.sql").read_text(encoding="utf-8")
_AT = {"inLast": {"days": 1}}


def not_followed(name: str, follower: object) -> dict[str, object]:
    return {"lastEvent": {"name": name, "at": _AT, "notFollowedBy": follower}}


async def migrated(database, condition: object) -> object:
    """The condition after the migration, stored as a segment's and as an automation's."""
    async with database.acquire() as connection:
        await connection.execute(
            "INSERT INTO workspaces (id, name, created_at) VALUES (91, 'followers', now()) ON CONFLICT DO NOTHING"
        )
        await connection.execute("DELETE FROM segments WHERE workspace_id = 91")
        await connection.execute("DELETE FROM automations WHERE workspace_id = 91")
        await connection.execute(
            "INSERT INTO segments (id, workspace_id, name, name_folded, condition, summary, created_at, updated_at) "
            "VALUES (911, 91, 'a', 'a', $1, '', now(), now())",
            json.dumps(condition),
        )
        await connection.execute(
            "INSERT INTO automations (id, workspace_id, name, name_folded, list_kind, list_id, on_entered, on_left, rules, actions, "
            "created_at, updated_at) VALUES (912, 91, 'a', 'a', 'SEGMENT', 911, true, false, $1, '[]', now(), now())",
            json.dumps({"onlyIf": condition}),
        )
        await connection.execute(_SQL)
        stored = await connection.fetchval("SELECT condition::text FROM segments WHERE id = 911")
        rules = await connection.fetchval("SELECT rules::text FROM automations WHERE id = 912")
        await connection.execute("DELETE FROM automations WHERE workspace_id = 91")
        await connection.execute("DELETE FROM segments WHERE workspace_id = 91")
    assert json.loads(rules) == {"onlyIf": json.loads(stored)}
    return json.loads(stored)


async def test_a_name_becomes_an_object(database):
    names = ["order_placed", 'says "so"', "back\\slash\\", "ąž 100%", '", "notFollowedBy": "x']
    before = {"all": [not_followed("cart", name) for name in names]}

    after = await migrated(database, before)

    assert after == {"all": [not_followed("cart", {"name": name}) for name in names]}


async def test_what_only_looks_like_it_stays(database):
    condition = {
        "any": [
            not_followed('"notFollowedBy": "x"', {"name": "y"}),
            {"city": {"is": 'notFollowedBy": "x"'}},
            {"city": {"is": "notFollowedBy"}},
        ]
    }

    assert await migrated(database, condition) == condition
