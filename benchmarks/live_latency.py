"""Measures how long after a mutation's answer a websocket client gets the change, and how late people leave by the clock alone.

    . <state>/connection.env        # of a running `python3 dev demo` or `python3 dev up`
    python3 dev run benchmarks/live_latency.py --rate 50 --seconds 20

It creates its own people and a segment "opened in the last minute", tracks one event for each person at a steady rate, and listens
on its own socket. It asserts that no change is lost, and prints figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import websockets

WINDOW = timedelta(minutes=1)

UPSERT = "mutation($s: [SubscriberInput!]!) { upsertSubscribers(input: {subscribers: $s}) { ... on UpsertSubscribersPayload { created subscribers { id externalId } } } }"
SEGMENT = "mutation($i: CreateSegmentInput!) { createSegment(input: $i) { __typename ... on Segment { id } ... on UserError { message } } }"
STATE = "query($id: ID!) { segment(by: {id: $id}) { state } }"
TRACK = "mutation($e: [EventInput!]!) { trackEvents(input: {events: $e}) { ... on TrackEventsPayload { accepted } } }"
FEED = "subscription($s: [ID!]) { membershipChanges(segmentIds: $s) { after cursor changes { kind subscriberId occurredAt } } }"


async def main() -> None:
    options = arguments()
    url, token = os.environ["AUDIENCE_URL"], os.environ["AUDIENCE_TOKEN"]
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=30) as client:
        await measure(client, url, token, options)


async def measure(client: httpx.AsyncClient, url: str, token: str, options: argparse.Namespace) -> None:
    run = secrets.token_hex(4)
    count = options.rate * options.seconds
    event = f"opened_{run}"
    ids: dict[str, str] = {}
    for start in range(0, count, 1000):
        people = [{"externalId": f"{run}-{n}"} for n in range(start, min(start + 1000, count))]
        made = (await ask(client, url, UPSERT, s=people))["upsertSubscribers"]["subscribers"]
        ids |= {person["externalId"]: person["id"] for person in made}
    condition = {"event": {"name": event, "within": {"last": {"minutes": 1}}}}
    segment = (await ask(client, url, SEGMENT, i={"name": f"Live {run}", "condition": condition}))[
        "createSegment"
    ]["id"]
    while (await ask(client, url, STATE, id=segment))["segment"]["state"] != "READY":
        await asyncio.sleep(0.1)

    heard: dict[tuple[str, str], float] = {}
    answered: dict[str, float] = {}
    occurred: dict[str, datetime] = {}
    listening = asyncio.Event()
    listener = asyncio.create_task(listen(token, segment, heard, listening))
    await listening.wait()
    begun = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number, (external_id, node_id) in enumerate(ids.items()):
            await asyncio.sleep(max(0.0, begun + number / options.rate - time.perf_counter()))
            tasks.create_task(track(client, url, event, external_id, node_id, answered, occurred))
    await until(lambda: sum(kind == "ENTERED" for kind, _ in heard) == count, 10)
    entered = sorted((heard["ENTERED", node_id] - answered[node_id]) * 1000 for node_id in ids.values())
    report(f"entered, ms after the mutation's answer, at {options.rate}/s", entered)
    if not options.no_leave:
        await until(lambda: sum(kind == "LEFT" for kind, _ in heard) == count, WINDOW.total_seconds() + 30)
        late = sorted(
            (heard["LEFT", node_id] - (occurred[node_id] + WINDOW).timestamp()) * 1000
            for node_id in ids.values()
        )
        report("left, ms after the exact instant, nothing else happening", late)
    listener.cancel()
    print(
        f"{count} entered, none lost; {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )


async def track(
    client: httpx.AsyncClient,
    url: str,
    event: str,
    external_id: str,
    node_id: str,
    answered: dict[str, float],
    occurred: dict[str, datetime],
) -> None:
    occurred[node_id] = datetime.now(UTC)
    given = {
        "subscriber": {"externalId": external_id},
        "name": event,
        "occurredAt": occurred[node_id].isoformat(),
    }
    payload = (await ask(client, url, TRACK, e=[given]))["trackEvents"]
    assert payload["accepted"] == 1
    answered[node_id] = time.time()


async def listen(
    token: str, segment: str, heard: dict[tuple[str, str], float], listening: asyncio.Event
) -> None:
    address = os.environ["AUDIENCE_WS_URL"]
    async with websockets.connect(
        address, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]
    ) as socket:
        await socket.send(
            json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
        )
        await socket.recv()
        subscribe = {"query": FEED, "variables": {"s": [segment]}}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": subscribe}))
        cursor = None
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "ping":
                await socket.send(json.dumps({"type": "pong"}))
                continue
            batch = message["payload"]["data"]["membershipChanges"]
            assert cursor in (None, batch["after"]), "the chain of cursors is broken"
            cursor = batch["cursor"]
            for change in batch["changes"]:
                heard[change["kind"], change["subscriberId"]] = time.time()
            listening.set()


async def ask(client: httpx.AsyncClient, url: str, query: str, **variables: Any) -> dict[str, Any]:
    answer = (await client.post(url, json={"query": query, "variables": variables})).json()
    if "errors" in answer:
        raise RuntimeError(answer["errors"])
    data: dict[str, Any] = answer["data"]
    return data


async def until(condition: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("somebody was lost")
        await asyncio.sleep(0.02)


def report(what: str, values: list[float]) -> None:
    def at(share: float) -> float:
        return values[min(len(values) - 1, int(share * len(values)))]

    print(
        f"{what}: p50 {at(0.5):.1f}, p95 {at(0.95):.1f}, p99 {at(0.99):.1f}, max {values[-1]:.1f} (n={len(values)})"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=50, help="events a second")
    parser.add_argument("--seconds", type=int, default=20, help="how long to track")
    parser.add_argument("--no-leave", action="store_true", help="do not wait for people to leave")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
