"""One SQL statement for each question, whose result is the JSON of the response: a bare ASGI application with a pool of asyncpg.

It is what remains if nothing is general: no GraphQL, no check of a token, no cursors. It separates workspaces and reads any number of buckets, as ours does.

    DATABASE_URL=… WORKSPACE_ID=… POOL_SIZE=… uvicorn benchmarks.reads.handwritten:app
"""

from __future__ import annotations

import os
from typing import Any, Final

import asyncpg
import orjson

_MEMBERS: Final = """
(SELECT coalesce(json_agg(m.one), '[]') FROM (
  SELECT json_build_object({object}) AS one FROM buckets b CROSS JOIN LATERAL (
    SELECT m.bucket_id, m.subscriber_id, m.entered_at FROM segment_members m WHERE m.bucket_id = b.id AND m.segment_id = s.id
    ORDER BY m.entered_at DESC, m.subscriber_id DESC LIMIT {size}) m
  JOIN subscribers p ON p.bucket_id = m.bucket_id AND p.id = m.subscriber_id
  WHERE b.workspace_id = $1 ORDER BY m.entered_at DESC, m.subscriber_id DESC, m.bucket_id DESC LIMIT {size}) m)
"""
_COUNT: Final = (
    "(SELECT coalesce(sum(t.members), 0)::bigint FROM buckets b "
    "JOIN segment_states t ON t.bucket_id = b.id AND t.segment_id = s.id WHERE b.workspace_id = $1)"
)
_GROUPS: Final = """
(SELECT coalesce(json_agg(json_build_object('name', g.name) ORDER BY g.added_at DESC, g.group_id DESC), '[]') FROM (
  SELECT d.name, m.added_at, m.group_id FROM group_members m JOIN groups d ON d.id = m.group_id AND d.workspace_id = $1
  WHERE m.bucket_id = p.bucket_id AND m.subscriber_id = p.id ORDER BY m.added_at DESC, m.group_id DESC LIMIT {size}) g)
"""
_MEMBER: Final = "'enteredAt', m.entered_at, 'externalId', p.external_id, 'email', p.email, 'firstName', p.first_name, 'country', p.country"
_SEGMENT: Final = (
    "SELECT json_build_object({object})::text FROM segments s WHERE s.id = $2 AND s.workspace_id = $1"
)

STATEMENTS: Final = {
    "T1a": "SELECT json_build_object('name', w.name, 'timezone', w.timezone)::text FROM workspaces w WHERE w.id = $1",
    "T1b": _SEGMENT.format(object=f"'name', s.name, 'memberCount', {_COUNT}"),
    "T2": (
        "SELECT json_build_object('externalId', p.external_id, 'email', p.email, 'firstName', p.first_name, 'lastName', p.last_name, "
        "'language', p.language, 'country', p.country, 'city', p.city, 'createdAt', p.created_at, "
        f"'groups', {_GROUPS.format(size=20)})::text "
        "FROM subscribers p JOIN buckets b ON b.id = p.bucket_id AND b.workspace_id = $1 WHERE p.bucket_id = $3 AND p.id = $2"
    ),
    "T3": _SEGMENT.format(object=f"'name', s.name, 'members', {_MEMBERS.format(object=_MEMBER, size=50)}"),
    "T4": _SEGMENT.format(
        object=f"'name', s.name, 'memberCount', {_COUNT}, 'members', {_MEMBERS.format(object=_MEMBER, size=50)}"
    ),
    "T5": (
        "SELECT json_agg(json_build_object('name', s.name, 'members', "
        + _MEMBERS.format(
            object=f"'externalId', p.external_id, 'email', p.email, 'groups', {_GROUPS.format(size=5)}",
            size=20,
        )
        + "))::text FROM (SELECT s.id, s.name FROM segments s WHERE s.workspace_id = $1 ORDER BY s.name_folded, s.id LIMIT 6) s"
    ),
    "T6": """
SELECT json_agg(x.one)::text FROM (
  SELECT json_build_object('externalId', p.external_id, 'email', p.email, 'createdAt', p.created_at,
    'fields', (SELECT coalesce(json_agg(json_build_object('key', f.key, 'value', v.value) ORDER BY f.key), '[]')
               FROM jsonb_each(p.fields) v JOIN custom_fields f ON f.id = v.key::bigint AND f.workspace_id = $1),
    'channels', (SELECT coalesce(json_agg(json_build_object('channel', c.channel, 'status', c.status) ORDER BY c.channel), '[]')
                 FROM channel_states c WHERE c.bucket_id = p.bucket_id AND c.subscriber_id = p.id)) AS one
  FROM buckets b CROSS JOIN LATERAL (
    SELECT p.* FROM subscribers p WHERE p.bucket_id = b.id ORDER BY p.created_at DESC, p.id DESC LIMIT 50) p
  WHERE b.workspace_id = $1 ORDER BY p.created_at DESC, p.id DESC, p.bucket_id DESC LIMIT 50) x
""",
}
"""By the question's key. $1 is the workspace, $2 the object that is asked for, if any, and $3 the bucket of a person."""

_HEADERS: Final = [(b"content-type", b"application/json")]


class App:
    """Answers POST /<question> with a body of the values for $2 and $3, such as [1]."""

    async def __call__(
        self, scope: Any, receive: Any, send: Any
    ) -> None:  # Any: ASGI's own dictionaries and callables
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message.get("more_body"):
                break
        values = orjson.loads(body)
        answer: str = await self._pool.fetchval(STATEMENTS[scope["path"][1:]], self._workspace_id, *values)
        sent = answer.encode()
        length = (b"content-length", str(len(sent)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, length]})
        await send({"type": "http.response.body", "body": sent})

    async def _live(self, receive: Any, send: Any) -> None:  # Any: the same
        await receive()
        self._workspace_id, size = int(os.environ["WORKSPACE_ID"]), int(os.environ["POOL_SIZE"])
        self._pool = await asyncpg.create_pool(
            os.environ["DATABASE_URL"], min_size=size, max_size=size, reset=_leave_as_it_is
        )
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._pool.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _leave_as_it_is(_: Any) -> None:  # Any: the pool's proxy of a connection
    """The usual reset costs a round trip, and no statement here leaves anything behind."""


app = App()
