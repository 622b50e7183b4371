"""One trackEvents can be followed from its request to the socket and to the webhook, over all processes."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys

import httpx
import pytest
from websockets import connect

from tests.api.test_socket import PROTOCOL
from tests.patience import PATIENCE_SECONDS, until
from tests.telemetry.collector import Seen
from tests.telemetry.conftest import Observed

pytestmark = pytest.mark.faults

UPSERT = """mutation { upsertSubscribers(input: {subscribers: [{externalId: "bo"}]}) {
  ... on UpsertSubscribersPayload { created } } }"""
SEGMENT = """mutation { createSegment(input: {name: "Readers", condition: {event: {name: "read", times: {atLeast: 1}}}}) {
  ... on Segment { id } ... on UserError { message } } }"""
STATE = "query ($id: ID!) { node(id: $id) { ... on Segment { state } } }"
ENDPOINT = """mutation ($url: String!) { createWebhookEndpoint(input: {name: "Receiver", url: $url}) {
  ... on CreateWebhookEndpointPayload { endpoint { id } } ... on UserError { message } } }"""
AUTOMATION = """mutation ($segment: ID!, $endpoint: ID!) { createAutomation(input: {
  name: "Tell", trigger: {segment: $segment}, actions: [{webhook: {endpoint: $endpoint}}]
}) { ... on Automation { id } ... on UserError { message } } }"""
LISTEN = "subscription ($id: ID!) { membershipChanges(segmentIds: [$id]) { changes { kind } cursor } }"
TRACK = """mutation Read { trackEvents(input: {events: [{subscriber: {externalId: "bo"}, name: "read"}]}) {
  ... on TrackEventsPayload { accepted } } }"""
CLIENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_, TRACE, PARENT, _ = CLIENT.split("-")


async def test_an_event_is_followed_to_the_socket_and_to_the_webhook(observed: Observed):
    heads: asyncio.Queue[str] = asyncio.Queue()
    receiver = await asyncio.start_server(
        lambda reader, writer: receive(reader, writer, heads), "127.0.0.1", observed.webhook_port
    )
    await observed.ask(UPSERT)
    await observed.ask(TRACK.replace('"read"', '"looked"'))  # the driver has asked for all types then
    segment = (await observed.ask(SEGMENT))["createSegment"]["id"]
    await observed.until({"node": {"state": "READY"}}, STATE, id=segment)
    url = f"http://127.0.0.1:{observed.webhook_port}/"
    endpoint = (await observed.ask(ENDPOINT, url=url))["createWebhookEndpoint"]["endpoint"]["id"]
    await observed.ask(AUTOMATION, segment=segment, endpoint=endpoint)
    has_begun = asyncio.Event()
    listening = asyncio.create_task(first_change(observed, segment, has_begun))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await has_begun.wait()

    async with httpx.AsyncClient(base_url=observed.product.origin, timeout=30) as client:
        headers = {"authorization": f"Bearer {observed.product.token}", "traceparent": CLIENT}
        answer = await client.post(
            "/graphql", json={"query": TRACK, "operationName": "Read"}, headers=headers
        )
    assert answer.json() == {"data": {"trackEvents": {"accepted": 1}}}
    async with asyncio.timeout(PATIENCE_SECONDS):
        await listening
        head = await heads.get()
    receiver.close()

    delivery = await seen(observed, lambda span: span.name == "deliver")
    act_of_it = await seen(observed, lambda span: span.id in delivery.links)
    for name in ("tick", "subscription", "send"):  # each process sends its spans when it has ended them
        await seen(observed, lambda span: span.name == name and span.trace == act_of_it.trace)  # noqa: B023  # awaited here
    await seen(observed, lambda span: span.trace == TRACE and span.parent == PARENT)
    (mutation,) = [span for span in observed.collector.of(TRACE) if span.parent == PARENT]
    (tick,) = [span for span in observed.collector.following(mutation) if span.name == "tick"]
    below = observed.collector.of(tick.trace)
    (act,) = [span for span in below if span.name == "act"]
    (subscription,) = [span for span in below if span.name == "subscription"]
    (send,) = [span for span in below if span.name == "send"]
    print("\n".join(observed.collector.tree(mutation)))
    assert (mutation.name, mutation.service) == ("mutation", "audience-gql-web")
    assert mutation.attributes["audience.root_fields"] == "trackEvents"
    assert mutation.attributes["graphql.operation.name"] == "Read"
    assert mutation.attributes["http.response.status_code"] == "200"
    assert (tick.service, tick.parent, tick.attributes["audience.changes"]) == (
        "audience-gql-worker",
        "",
        "1",
    )
    assert (act.service, act.parent) == ("audience-gql-worker", tick.id)
    assert (subscription.service, subscription.parent) == ("audience-gql-web", tick.id)
    assert send.parent == subscription.id
    assert (delivery.service, delivery.links) == ("audience-gql-worker", (act.id,))
    assert delivery.attributes["http.response.status_code"] == "204"
    assert re.search(
        rf"traceparent: 00-{delivery.trace}-{delivery.id}-0[13]\r\n", head
    )  # 3: its id is random, too
    statements = [span for span in observed.collector.of(TRACE) if span.parent == mutation.id]
    assert {"BEGIN", "WITH", "COMMIT"} <= {span.attributes["db.operation.name"] for span in statements}
    assert all(span.attributes["db.system.name"] == "postgresql" for span in statements)


async def test_jobs_and_fills_have_spans_and_lines_have_their_ids(observed: Observed):
    await observed.ask(SEGMENT.replace("Readers", "More readers"))
    job = await seen(observed, lambda span: span.attributes.get("audience.job") == "sweep")
    fill = await seen(observed, lambda span: span.name == "fill")

    assert (job.parent, fill.parent) == ("", "")
    assert int(fill.attributes["audience.segment_id"]) > 0
    async with httpx.AsyncClient(base_url=observed.product.origin, timeout=PATIENCE_SECONDS) as client:
        headers = {"authorization": f"Bearer {observed.product.token}", "traceparent": CLIENT}
        await client.post("/graphql", json={"query": "{ nothing }"}, headers=headers)
    log = observed.product.folder / "state" / "web.log"

    async def is_told() -> bool:
        whole, _, _ = log.read_text(encoding="utf-8").rpartition("\n")
        return any(json.loads(line).get("trace_id") == TRACE for line in whole.splitlines())

    await until(is_told)


def test_without_a_collector_nothing_of_it_is_imported():
    code = (
        "import sys, audience_gql.app, audience_gql.worker\n"
        "from audience_gql.telemetry import traces\n"
        "traces.start_traces('web', {})\n"
        "traces.start_traces('web', {'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://x', 'OTEL_SDK_DISABLED': 'true'})\n"
        "print(traces.current, [name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "None []\n"


async def first_change(observed: Observed, segment: str, has_begun: asyncio.Event) -> None:
    """Hear of somebody who enters. The first batch comes at once, and may be empty."""
    url = observed.product.origin.replace("http", "ws") + "/graphql"
    async with connect(url, subprotocols=[PROTOCOL]) as socket:
        await socket.send(
            json.dumps(
                {"type": "connection_init", "payload": {"authorization": f"Bearer {observed.product.token}"}}
            )
        )
        await socket.send(
            json.dumps(
                {"type": "subscribe", "id": "1", "payload": {"query": LISTEN, "variables": {"id": segment}}}
            )
        )
        while not re.search(r'"kind": ?"ENTERED"', heard := str(await socket.recv())):
            if '"next"' in heard:
                has_begun.set()


async def receive(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heads: asyncio.Queue[str]
) -> None:
    heads.put_nowait((await reader.readuntil(b"\r\n\r\n")).decode())
    writer.write(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()
    writer.close()


async def seen(observed: Observed, is_it) -> Seen:
    async def there() -> Seen | None:
        return next(filter(is_it, observed.collector.spans), None)

    try:
        return await until(there)
    except TimeoutError:
        pytest.fail(f"not among {[span.title for span in observed.collector.spans]}")
