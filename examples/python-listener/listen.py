"""Prints a line of JSON for each person who enters or leaves some segments. It misses nothing, even if it or the server is killed.

    python listen.py --state listener.json "Active buyers" "Big spenders"

The environment must contain AUDIENCE_WS_URL and AUDIENCE_TOKEN. The state file holds the cursor from which the next start continues.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

from gql import Client, GraphQLRequest, gql
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportError, TransportQueryError
from gql.transport.websockets import WebsocketsTransport
from websockets.exceptions import ConnectionClosed

FIND = gql("query Find($name: String!) { segment(by: {name: $name}) { id } }")
MEMBERS = gql("""
query Members($segment: ID!, $after: String) {
  segment(by: {id: $segment}) {
    members(first: 100, after: $after) {
      feedCursor
      edges { node { id email } }
      pageInfo { hasNextPage endCursor }
    }
  }
}""")
LISTEN = gql("""
subscription Listen($segments: [ID!], $after: String!) {
  membershipChanges(segmentIds: $segments, after: $after) {
    after
    cursor
    changes { id kind cause occurredAt segmentId subscriberId subscriber { email } }
  }
}""")

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
REFUSALS = {4401, 4403}
"""Close codes after which trying again with the same token is useless."""
LOST = {"CURSOR_EXPIRED", "CURSOR_INVALID"}
PASSING = {"RATE_LIMITED", "SLOW_CLIENT", "TIMEOUT", "UNAVAILABLE"}


class Missed(Exception):
    """A batch does not continue the batch before it. The server guarantees that this never happens; `after` lets a client check it."""


class State:
    """Stores the cursor of the last batch that was processed, in a file that is always complete."""

    def __init__(self, path: Path, segments: Sequence[str]) -> None:
        self._path = path
        self._segments = sorted(segments)

    def cursor(self) -> str | None:
        """The stored cursor; None at the first start, and if it was stored for other segments."""
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return kept["cursor"] if kept["segments"] == self._segments else None

    def keep(self, cursor: str) -> None:
        """Write a new file and rename it, so that a kill leaves either the old file or the new one, never an incomplete one."""
        new = self._path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            json.dump({"segments": self._segments, "cursor": cursor}, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)


async def listen(names: Sequence[str], state: State) -> None:
    """Listen for ever. While the server does not answer, the pauses grow, and a random part keeps listeners from returning all at once."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            async with Client(transport=transport()) as session:
                pause = FIRST_PAUSE_SECONDS
                await follow(session, [await find(session, name) for name in names], state)
        except TransportQueryError as error:
            if codes(error) & LOST:
                state.forget()  # the log no longer contains what follows the cursor: read the members again
            elif not codes(error) & PASSING:
                raise
        except (TransportError, TimeoutError) as error:
            if closed_with(error) in REFUSALS:
                sys.exit("The token is not valid, or no longer valid.")
        await asyncio.sleep(pause * random.uniform(0.5, 1))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def transport() -> WebsocketsTransport:
    return WebsocketsTransport(
        os.environ["AUDIENCE_WS_URL"],
        init_payload={"authorization": f"Bearer {os.environ['AUDIENCE_TOKEN']}"},
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
        ping_interval=20,  # notices a server that disappeared without closing the connection
        close_timeout=2,
    )


async def find(session: AsyncClientSession, name: str) -> str:
    found = await session.execute(GraphQLRequest(FIND, variable_values={"name": name}))
    if found["segment"] is None:
        sys.exit(f"There is no segment {name!r}.")
    return str(found["segment"]["id"])


async def follow(session: AsyncClientSession, segments: list[str], state: State) -> None:
    """Process one batch after the other: first the work, then the cursor. After a kill between the two, the batch arrives again."""
    cursor = state.cursor() or await read_members(session, segments, state)
    request = GraphQLRequest(LISTEN, variable_values={"segments": segments, "after": cursor})
    async for result in session.subscribe(request):
        batch = result["membershipChanges"]
        if batch["after"] != cursor:
            raise Missed(f"this batch continues {batch['after']}, not {cursor}")
        for change in batch["changes"]:
            handle(change)
        cursor = batch["cursor"]
        state.keep(cursor)


async def read_members(session: AsyncClientSession, segments: list[str], state: State) -> str:
    """Handle all present members, and return the cursor from which the changes continue.

    It is the cursor of the first page. People who enter or leave while the other pages are read arrive again as changes, and applying
    both in this order gives the right members.
    """
    cursor = ""
    for segment in segments:
        handle({"kind": "RESET", "segmentId": segment})
        async for page in pages(session, segment):
            cursor = cursor or page["feedCursor"]
            for edge in page["edges"]:
                person = edge["node"]
                handle(
                    {
                        "kind": "MEMBER",
                        "segmentId": segment,
                        "subscriberId": person["id"],
                        "subscriber": person,
                    }
                )
    state.keep(cursor)
    return cursor


async def pages(session: AsyncClientSession, segment: str) -> AsyncIterator[dict[str, Any]]:
    after = None
    while True:
        request = GraphQLRequest(MEMBERS, variable_values={"segment": segment, "after": after})
        page = (await session.execute(request))["segment"]["members"]
        yield page
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def handle(change: dict[str, Any]) -> None:
    """The work itself: put yours here. A change can arrive twice with the same `id`; the second time must have no further effect."""
    print(json.dumps(change), flush=True)


def codes(error: TransportQueryError) -> set[str]:
    return {it.get("extensions", {}).get("code") for it in error.errors or ()}


def closed_with(error: BaseException) -> int | None:
    """The close code that caused a failure, or None."""
    for cause in causes(error):
        if isinstance(cause, ConnectionClosed) and cause.rcvd is not None:
            return cause.rcvd.code
    return None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", help="the segments, by name")
    parser.add_argument(
        "--state", type=Path, default=Path("listener.json"), help="the file that stores the cursor"
    )
    options = parser.parse_args()
    try:
        asyncio.run(listen(options.names, State(options.state, options.names)))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
