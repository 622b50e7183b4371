"""An operation that is not sampled has no part of the trace of the one before it, over HTTP and on a socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, Sampler, SamplingResult

from audience_gql.api.transport.http import GraphQLEndpoint
from audience_gql.api.transport.measuring.tracing import Traced
from audience_gql.api.transport.streaming.subscriptions import Subscriptions
from audience_gql.telemetry import traces
from audience_gql.telemetry.tracing import Tracing
from tests.api.conftest import UPSERT, Api

WRITTEN = """
SELECT s.external_id, d.trace FROM dirty d JOIN subscribers s ON s.bucket_id = d.bucket_id AND s.id = d.subscriber_id
WHERE d.bucket_id = $1
"""
SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

Send: TypeAlias = Callable[[str, Mapping[str, str]], Awaitable[None]]
"""Writes the person with this external id, with these headers if the way has headers."""


class Chosen(Sampler):
    """Samples as a test says, one operation after the other."""

    def __init__(self, *choices: bool) -> None:
        self._choices = list(choices)

    def should_sample(self, *_: object, **__: object) -> SamplingResult:
        return SamplingResult(Decision.RECORD_AND_SAMPLE if self._choices.pop(0) else Decision.DROP)

    def get_description(self) -> str:
        return "as the test says"


@dataclass
class Traces:
    tracing: Tracing
    exporter: InMemorySpanExporter

    def ids(self) -> set[str]:
        """The ids of the traces that were written."""
        return {f"{it.context.trace_id:032x}" for it in self.exporter.get_finished_spans() if it.context}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Traces:
    exporter = InMemorySpanExporter()
    providers = [TracerProvider(sampler=it) for it in (Chosen(True, False, False, True, False), ALWAYS_ON)]
    for it in providers:
        it.add_span_processor(SimpleSpanProcessor(exporter))
    tracing = Tracing(*providers)
    monkeypatch.setattr(traces, "current", tracing)
    return Traces(tracing, exporter)


def over_http(api: Api, secret: str, tracing: Tracing) -> Send:
    app = Traced(GraphQLEndpoint(api.schema, api.services, Subscriptions(api.schema, api.services)), tracing)

    async def send(name: str, headers: Mapping[str, str]) -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            body = {"query": UPSERT, "variables": {"input": {"subscribers": [{"externalId": name}]}}}
            told = {"authorization": f"Bearer {secret}", **headers}
            assert (await client.post("/graphql", json=body, headers=told)).json()["data"]

    return send


def on_a_socket(api: Api, _: str, __: Tracing) -> Send:
    async def send(name: str, _: Mapping[str, str]) -> None:
        async for _ in api.subscribe(UPSERT, input={"subscribers": [{"externalId": name}]}):
            pass

    return send


@pytest.mark.parametrize("door", [over_http, on_a_socket])
async def test_what_is_not_sampled_leaves_no_context_to_the_next(
    api: Api, written: Traces, door: Callable[[Api, str, Tracing], Send]
):
    send = door(api, await api.token(), written.tracing)
    after: list[Any] = []

    for name, headers in {"a": {}, "b": {}, "c": {"traceparent": SAMPLED}, "d": {}, "e": {}}.items():
        await send(name, headers)
        after.append((trace.get_current_span(), traces.trace_to_leave()))

    rows = await api.services.ports.database.fetch(WRITTEN, api.bucket_id)
    left = {row["external_id"]: row["trace"] for row in rows}
    assert [name for name in "abcde" if left[name]] == ["a", "d"]
    assert {left[name].split("-")[1] for name in "ad"} == written.ids()
    assert len(written.ids()) == 2
    assert after == [(trace.INVALID_SPAN, None)] * 5
