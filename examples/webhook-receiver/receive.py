"""Receives webhooks about who enters and leaves lists, and keeps a copy of the members in SQLite. It misses nothing.

    python receive.py

The environment must contain WEBHOOK_SECRET, AUDIENCE_URL and AUDIENCE_TOKEN. RECEIVER_DATABASE names the SQLite file, and
RECEIVER_PORT the port on 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from datetime import UTC, datetime
from typing import Any

import httpx
import uvicorn
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

TABLES = """
CREATE TABLE IF NOT EXISTS messages (id TEXT PRIMARY KEY, received_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE IF NOT EXISTS lanes (lane TEXT, automation TEXT, cursor TEXT NOT NULL, PRIMARY KEY (lane, automation));
CREATE TABLE IF NOT EXISTS lists (id TEXT PRIMARY KEY, cursor TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS people (
  list TEXT, id TEXT, is_member INTEGER NOT NULL, changed_at TEXT NOT NULL, external_id TEXT, email TEXT, PRIMARY KEY (list, id));
"""
CHANGES = """
query ($id: ID!, $after: String) {
  membershipChanges(segmentIds: [$id], after: $after, first: 100) {
    cursor hasMore changes { kind occurredAt subscriberId subscriber { externalId email } }
  }
}"""
MEMBERS = """
query ($id: ID!, $after: String) {
  list: segment(by: {id: $id}) {
    members(first: 100, after: $after) {
      edges { since: enteredAt node { id externalId email } } pageInfo { hasNextPage endCursor }
    }
  }
}"""
LOST = {"CURSOR_EXPIRED", "CURSOR_INVALID"}
LONGEST_BODY = 1_000_000
REQUEST_SECONDS = 10.0


class Refused(Exception):
    """The API answered with errors. `codes` are their codes."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(f"the API refused a request: {errors}")
        self.codes = {error.get("extensions", {}).get("code") for error in errors}


class Receiver:
    """Applies messages to the copy, one at a time, each in one transaction."""

    def __init__(self, database: sqlite3.Connection, api: httpx.AsyncClient, url: str) -> None:
        self._database = database
        self._api = api
        self._url = url
        self._turn = asyncio.Lock()
        database.executescript(TABLES)

    async def take(self, message_id: str, message: dict[str, Any]) -> None:
        """Apply a message, unless it has been applied already. After an exception, nothing of it is stored."""
        if message["type"] != "audience.membership.changed":
            return
        async with self._turn:
            with self._database:
                self._sql("DELETE FROM messages WHERE received_at < datetime('now', '-40 days')")
                if self._sql("INSERT OR IGNORE INTO messages (id) VALUES (?)", message_id).rowcount:
                    await self._follow(message["data"])

    async def _follow(self, data: dict[str, Any]) -> None:
        """Get what is missing before this message, then apply its changes."""
        listed, place = data["changes"][0]["list"], (data["lane"], data["automation"]["id"])
        last = self._one("SELECT cursor FROM lanes WHERE lane = ? AND automation = ?", *place)
        if last is None:
            await self._begin(listed)
        elif last != data["after"]:
            await self._heal(listed, last)
        for change in data["changes"]:
            self._apply(listed["id"], change["subscriber"]["id"], change, change["subscriber"])
        self._sql("INSERT OR REPLACE INTO lanes VALUES (?, ?, ?)", *place, data["cursor"])

    async def _begin(self, listed: dict[str, str]) -> None:
        """Read what happened before the first message of a lane, because this may not be its first message."""
        known = self._one("SELECT cursor FROM lists WHERE id = ?", listed["id"])
        cursor = await (self._copy(listed) if known is None else self._heal(listed, known))
        self._sql("INSERT OR REPLACE INTO lists VALUES (?, ?)", listed["id"], cursor)

    async def _heal(self, listed: dict[str, str], cursor: str) -> str:
        """Apply all changes of a list after a cursor. If the log no longer has them, copy the members. Returns the new cursor."""
        try:
            return await self._read_changes(listed, cursor)
        except Refused as refused:
            if not refused.codes & LOST:
                raise
        return await self._copy(listed)

    async def _read_changes(self, listed: dict[str, str], cursor: str) -> str:
        has_more = True
        while has_more:
            page = (await self._ask(CHANGES, listed, cursor))["membershipChanges"]
            for change in page["changes"]:
                self._apply(listed["id"], change["subscriberId"], change, change["subscriber"])
            cursor, has_more = page["cursor"], page["hasMore"]
        return cursor

    async def _copy(self, listed: dict[str, str]) -> str:
        """Replace the copy of a list: read its members, then what changed since the first page was read."""
        start: str = (await self._ask(CHANGES, listed, None))["membershipChanges"]["cursor"]
        self._sql("DELETE FROM people WHERE list = ?", listed["id"])
        after, has_more = None, True
        while has_more:
            members = (await self._ask(MEMBERS, listed, after))["list"]["members"]
            for edge in members["edges"]:
                entered = {"kind": "ENTERED", "occurredAt": edge["since"]}
                self._apply(listed["id"], edge["node"]["id"], entered, edge["node"])
            after, has_more = members["pageInfo"]["endCursor"], members["pageInfo"]["hasNextPage"]
        return await self._read_changes(listed, start)

    def _apply(
        self, list_id: str, person_id: str, change: dict[str, Any], person: dict[str, Any] | None
    ) -> None:
        """Store one change, unless a later one of the person is stored. Nothing but the id stays of those who are no members."""
        is_member = change["kind"] == "ENTERED"
        shown = person if is_member and person is not None else {"externalId": None, "email": None}
        self._sql(
            "INSERT INTO people VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET is_member = excluded.is_member, "
            "changed_at = excluded.changed_at, external_id = excluded.external_id, email = excluded.email "
            "WHERE excluded.changed_at >= people.changed_at",
            *(list_id, person_id, is_member, instant(change["occurredAt"])),
            *(shown["externalId"], shown["email"]),
        )

    async def _ask(self, query: str, listed: dict[str, str], after: str | None) -> dict[str, Any]:
        if listed["kind"] == "GROUP":
            query = query.replace("segment", "group").replace("enteredAt", "addedAt")
        request = {"query": query, "variables": {"id": listed["id"], "after": after}}
        answer = (await self._api.post(self._url, json=request)).raise_for_status().json()
        if "errors" in answer:
            raise Refused(answer["errors"])
        data: dict[str, Any] = answer["data"]
        return data

    def _sql(self, statement: str, *values: object) -> sqlite3.Cursor:
        return self._database.execute(statement, values)

    def _one(self, statement: str, *values: object) -> str | None:
        row = self._sql(statement, *values).fetchone()
        return None if row is None else str(row[0])


def instant(text: str) -> str:
    """The same instant in a form whose order as text is the order of time."""
    return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="microseconds")


def application(secret: str, receiver: Receiver) -> Starlette:
    """The web application: POST / takes one message."""
    webhook = Webhook(secret)

    async def take(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > LONGEST_BODY:
                return Response("The message is too long.", status_code=413)
        try:
            message = webhook.verify(body, dict(request.headers))
        except (WebhookVerificationError, ValueError):  # ValueError: the headers or the body are malformed
            return Response("The signature is wrong, or the message is old.", status_code=401)
        try:
            await receiver.take(request.headers["webhook-id"], message)
        except (httpx.HTTPError, Refused):
            return Response("The API did not answer. Send the message again.", status_code=503)
        return Response(status_code=204)

    return Starlette(routes=[Route("/", take, methods=["POST"])])


async def serve() -> None:
    """Serve until a signal ends the process."""
    headers = {"authorization": f"Bearer {os.environ['AUDIENCE_TOKEN']}"}
    database = sqlite3.connect(os.environ.get("RECEIVER_DATABASE", "receiver.db"))
    async with httpx.AsyncClient(headers=headers, timeout=REQUEST_SECONDS) as client:
        receiver = Receiver(database, client, os.environ["AUDIENCE_URL"])
        app = application(os.environ["WEBHOOK_SECRET"], receiver)
        port = int(os.environ.get("RECEIVER_PORT", "8100"))
        await uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port)).serve()
    database.close()


if __name__ == "__main__":
    asyncio.run(serve())
