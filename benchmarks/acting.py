"""Measures how long after a membership change an automation has acted, and how many runs and webhooks a second it keeps up with.

    export AUDIENCE_WEBHOOK_NETWORKS=127.0.0.0/8 AUDIENCE_WEBHOOK_HTTP=1 AUDIENCE_WEBHOOK_PORTS=8099
    python3 dev up                                 # in another terminal, with the same settings
    . <state>/connection.env
    python3 dev run benchmarks/acting.py --rate 50 --seconds 20 --crowd 5000

It creates its own people, a segment, a group, a webhook endpoint, and an automation that adds people to the group and tells its own receiver.
It asserts that every change is acted on and told exactly once, and prints figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import secrets
import time
from collections import Counter
from datetime import datetime
from typing import Any

import httpx
import websockets

from benchmarks.live_latency import SEGMENT, STATE, ask, report, until

GROUP = "mutation($n: String!) { createGroup(input: {name: $n}) { ... on Group { id } } }"
ENDPOINT = "mutation($i: CreateWebhookEndpointInput!) { createWebhookEndpoint(input: $i) { ... on CreateWebhookEndpointPayload { endpoint { id } } ... on UserError { message } } }"
AUTOMATION = "mutation($i: CreateAutomationInput!) { createAutomation(input: $i) { ... on Automation { id } ... on UserError { message } } }"
UPSERT = "mutation($s: [SubscriberInput!]!) { upsertSubscribers(input: {subscribers: $s}) { ... on UpsertSubscribersPayload { created } } }"
FEED = (
    "subscription($s: [ID!], $g: [ID!]) { membershipChanges(segmentIds: $s, groupIds: $g) "
    "{ changes { subscriberId segmentId groupId occurredAt } } }"
)


class Receiver:
    """An HTTP server that accepts every message and remembers when it was told of whom."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        self.late: list[float] = []
        """Milliseconds from each change to its arrival here."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        body = json.loads(await reader.readexactly(length))
        now = time.time()
        for change in body["data"]["changes"]:
            self.told[change["subscriber"]["id"]] += 1
            self.late.append((now - datetime.fromisoformat(change["occurredAt"]).timestamp()) * 1000)
        writer.write(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()


async def main() -> None:
    options = arguments()
    url, token = os.environ["AUDIENCE_URL"], os.environ["AUDIENCE_TOKEN"]
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", options.port)
    async with server, httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=60) as client:
        await measure(client, url, token, receiver, options)


async def measure(
    client: httpx.AsyncClient, url: str, token: str, receiver: Receiver, options: argparse.Namespace
) -> None:
    run = secrets.token_hex(4)
    segment, group = await furnish(client, url, run, options.port)
    seen: dict[str, dict[str, float]] = {"segmentId": {}, "groupId": {}}
    listening = asyncio.Event()
    listener = asyncio.create_task(listen(token, segment, group, seen, listening))
    await listening.wait()

    count = options.rate * options.seconds
    begun = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            await asyncio.sleep(max(0.0, begun + number / options.rate - time.perf_counter()))
            tasks.create_task(ask(client, url, UPSERT, s=[person(run, number)]))
    await until(lambda: len(seen["groupId"]) == count and len(receiver.told) == count, 60)
    acted = sorted((seen["groupId"][who] - at) * 1000 for who, at in seen["segmentId"].items())
    report(f"added to the group, ms after entering the segment (both in the log), at {options.rate}/s", acted)
    report("told, ms after entering the segment", sorted(receiver.late))

    begun = time.perf_counter()
    for start in range(count, count + options.crowd, 1000):
        end = min(start + 1000, count + options.crowd)
        await ask(client, url, UPSERT, s=[person(run, number) for number in range(start, end)])
    whole = count + options.crowd
    await until(lambda: len(seen["groupId"]) == whole, 600)
    print(f"{options.crowd} at once: {options.crowd / (time.perf_counter() - begun):.0f} runs/s")
    await until(lambda: len(receiver.told) == whole, 600)
    print(f"{options.crowd} at once: {options.crowd / (time.perf_counter() - begun):.0f} changes told/s")
    assert set(receiver.told.values()) == {1}
    listener.cancel()
    print(
        f"{whole} acted on and told once; {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )


def person(run: str, number: int) -> dict[str, str]:
    return {"externalId": f"{run}-{number}", "city": run}


async def furnish(client: httpx.AsyncClient, url: str, run: str, port: int) -> tuple[str, str]:
    """Create the lists and the automation. Returns the ids of the segment and of the group."""
    condition = {"city": {"is": run}}
    made = await ask(client, url, SEGMENT, i={"name": f"Acting {run}", "condition": condition})
    segment: str = made["createSegment"]["id"]
    while (await ask(client, url, STATE, id=segment))["segment"]["state"] != "READY":
        await asyncio.sleep(0.1)
    group: str = (await ask(client, url, GROUP, n=f"Acting {run}"))["createGroup"]["id"]
    target = {"name": f"Acting {run}", "url": f"http://127.0.0.1:{port}/"}
    endpoint = (await ask(client, url, ENDPOINT, i=target))["createWebhookEndpoint"]["endpoint"]["id"]
    automation = {
        "name": f"Acting {run}",
        "trigger": {"segment": segment},
        "actions": [{"addToGroup": group}, {"webhook": {"endpoint": endpoint}}],
    }
    assert "id" in (await ask(client, url, AUTOMATION, i=automation))["createAutomation"]
    return segment, group


async def listen(
    token: str, segment: str, group: str, seen: dict[str, dict[str, float]], listening: asyncio.Event
) -> None:
    """Record by list when each person entered it, as the log says."""
    address = os.environ["AUDIENCE_WS_URL"]
    async with websockets.connect(
        address, subprotocols=[websockets.Subprotocol("graphql-transport-ws")], max_size=None
    ) as socket:
        await socket.send(
            json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
        )
        await socket.recv()
        subscribe = {"query": FEED, "variables": {"s": [segment], "g": [group]}}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": subscribe}))
        async for text in socket:
            message: dict[str, Any] = json.loads(text)
            if message["type"] == "ping":
                await socket.send(json.dumps({"type": "pong"}))
                continue
            for change in message["payload"]["data"]["membershipChanges"]["changes"]:
                kind = "segmentId" if change["segmentId"] else "groupId"
                seen[kind][change["subscriberId"]] = datetime.fromisoformat(change["occurredAt"]).timestamp()
            listening.set()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=50, help="people who enter a second")
    parser.add_argument("--seconds", type=int, default=20, help="how long they enter one by one")
    parser.add_argument("--crowd", type=int, default=5000, help="how many people enter at once afterwards")
    parser.add_argument("--port", type=int, default=8099, help="where the receiver listens")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
