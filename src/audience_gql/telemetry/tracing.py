"""Writes spans with OpenTelemetry. They name operations, fields of the schema, statements and ids, and contain no values of clients.

A span of work that follows from sampled work is always written, so that a chain is whole. All other spans are sampled as OTEL_TRACES_SAMPLER says.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from random import random
from typing import Any, Final

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, Sampler
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from audience_gql.telemetry.ids import find_with, known_ids

Attributes = Mapping[str, Any]  # Any: OpenTelemetry's values

MOST_LINKS: Final = 32
"""The most pieces of work that one span follows from."""
_LONGEST_STATEMENT: Final = 1_000
_WHILE_ENDING_NANOSECONDS: Final = 100_000_000
"""The driver tells of a statement in the next round of the event loop. Its parent may have ended by then, but not for longer than this."""
_UNNAMED: Final = "GraphQL Operation"
_IS_BULK: Final = contexts.create_key("audience_gql.is_bulk")
_STATEMENT: Final = re.compile(r"^\s*[a-z]+", re.IGNORECASE | re.MULTILINE)
"""The first word of a statement, after the lines of a comment."""
_USUAL_SAMPLER: Final = re.compile(
    r"(?:ParentBased\{root:)?(?P<name>AlwaysOnSampler|AlwaysOffSampler|TraceIdRatioBased\{(?P<ratio>[\d.e-]+)\})"
)
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class Tracing:
    """The spans of one process."""

    def __init__(self, provider: TracerProvider, always: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("audience_gql")
        self._always = always.get_tracer("audience_gql")
        self._sampler, self._ids = provider.sampler, provider.id_generator
        self._share = _share_of(provider.sampler)

    @classmethod
    def to_collector(cls, process: str) -> Tracing:
        """Send spans where the standard variables of the environment say."""
        return cls.to_processor(process, BatchSpanProcessor(OTLPSpanExporter()))

    @classmethod
    def to_processor(cls, process: str, processor: SpanProcessor) -> Tracing:
        name = os.environ.get("OTEL_SERVICE_NAME") or process
        resource = Resource.create({SERVICE_NAME: name})
        provider = TracerProvider(resource=resource)
        always = TracerProvider(resource=resource, sampler=ALWAYS_ON, shutdown_on_exit=False)
        for it in (provider, always):
            it.add_span_processor(processor)
        find_with(_ids_of_span)
        return cls(provider, always)

    def is_sampled(self) -> bool:
        """Whether a request without the header `traceparent` is traced. The usual samplers need one random number for it, and no span."""
        if self._share is not None:
            return random() < self._share  # noqa: S311  # it protects nothing
        trace_id = self._ids.generate_trace_id()
        decision = self._sampler.should_sample(None, trace_id, _UNNAMED).decision
        return decision is Decision.RECORD_AND_SAMPLE

    def watch(self, connection: Any) -> None:  # Any: the driver's own
        """Write the spans of the connection's statements. Its set of loggers is empty for whoever is not traced, so that nothing is measured."""
        connection._query_loggers = _WhileTraced()  # noqa: SLF001  # the driver looks there before each statement
        connection.add_query_logger(self.note_statement)

    def close(self) -> None:
        self._provider.shutdown()

    @contextmanager
    def request(self, attributes: Attributes, headers: Mapping[str, str] | None = None) -> Iterator[Span]:
        """The span of one request: always written without headers, or else what the sampler says about their `traceparent`."""
        tracer, parent = self._always, contexts.Context()
        if headers is not None:
            tracer, parent = self._tracer, _PROPAGATOR.extract(headers, parent)
        span = tracer.start_span(_UNNAMED, parent, SpanKind.SERVER, attributes)
        with _active(span):
            yield span

    @contextmanager
    def work(
        self, name: str, attributes: Attributes | None = None, *, kind: SpanKind = SpanKind.INTERNAL
    ) -> Iterator[Span]:
        """The span of some work that follows from nothing, in a trace of its own. The marks that it writes lead nowhere: there may be millions."""
        span = self._tracer.start_span(name, contexts.Context(), kind, attributes)
        with _active(span, contexts.set_value(_IS_BULK, value=True)):
            yield span

    @contextmanager
    def following(
        self,
        name: str,
        traces: Collection[str],
        attributes: Attributes | None = None,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        is_child: bool = False,
    ) -> Iterator[Span]:
        """The span of some work that follows from other work: a child of the last one, or in a trace of its own, with links to all."""
        links = links_to(traces)
        parent = contexts.Context()
        if is_child and links:
            parent = trace.set_span_in_context(trace.NonRecordingSpan(links.pop().context), parent)
        span = self._always.start_span(name, parent, kind, attributes, links)
        with _active(span):
            yield span

    @contextmanager
    def delivering(self, traces: Collection[str], attributes: Attributes) -> Iterator[Delivering]:
        """The span of one attempt to send a webhook message."""
        attributes = {"http.request.method": "POST", **attributes}
        with self.following("deliver", traces, attributes, kind=SpanKind.CLIENT) as span:
            yield Delivering(span)

    def trace_to_leave(self) -> str | None:
        """The context of the current span, for what the current work writes; None if it is not written, or if it writes too much."""
        return None if contexts.get_value(_IS_BULK) else trace_now()

    def once(self, name: str) -> Callable[[], None]:
        """A function whose first call ends a span that begins now, below the current one. Further calls do nothing."""
        spans = [self._always.start_span(name, kind=SpanKind.PRODUCER)]

        def end() -> None:
            while spans:
                spans.pop().end()

        return end

    def ticking(self) -> Ticking:
        return Ticking(self._tracer, self._always)

    def name_operation(self, type_: str, root_fields: Collection[str], name: str | None) -> None:
        """Say what the current request is. Arguments and variables are never told."""
        span = trace.get_current_span()
        if span.is_recording():
            span.update_name(type_)
            span.set_attribute("graphql.operation.type", type_)
            span.set_attribute("audience.root_fields", sorted(root_fields))
            if name:
                span.set_attribute("graphql.operation.name", name)
            for key, id_ in known_ids().items():
                if isinstance(id_, int) or key == "request_id":
                    span.set_attribute(f"audience.{key}", id_)  # type: ignore[arg-type]  # they are numbers and a text

    def end_operation(self, outcome: str) -> None:
        """Say how the current request ends."""
        span = trace.get_current_span()
        if span.is_recording():
            span.set_attribute("audience.outcome", outcome)
            if outcome not in ("success", "client_error"):
                span.set_attribute("error.type", outcome)
                span.set_status(Status(StatusCode.ERROR))

    def note_statement(self, logged: Any) -> None:  # Any: the driver's own record
        """Write the span of a statement that has just ended, if it belongs to a span. Its values are not told."""
        parent = trace.get_current_span()
        if not parent.get_span_context().trace_flags.sampled or _is_over(parent):
            return
        text: str = logged.query
        end = time.time_ns()
        found = _STATEMENT.search(text)
        operation = found[0].strip().upper() if found else "statement"
        attributes = {
            "db.system.name": "postgresql",
            "db.operation.name": operation,
            "db.query.text": text[:_LONGEST_STATEMENT],
        }
        span = self._always.start_span(
            operation,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=end - int(logged.elapsed * 1e9),
        )
        if logged.exception is not None:
            _fail(span, logged.exception)
        span.end(end)

    def note_wait(self, statement: str, begun: int, reader: str | None) -> None:
        """Write the span of a wait that ends now, if the current span is written: for the end of this statement, which others read by, too.

        `reader` is the context of the span that has sent it for the waiting one as well; None if none has, or if that is not written.
        """
        if trace.get_current_span().get_span_context().trace_flags.sampled:
            attributes = {"db.system.name": "postgresql", "db.query.text": statement[:_LONGEST_STATEMENT]}
            links = links_to([] if reader is None else [reader])
            self._always.start_span("wait", attributes=attributes, links=links, start_time=begun).end()


class _WhileTraced(set[Any]):  # Any: the driver's own callbacks
    """A set that looks empty unless the current span is written."""

    def __bool__(self) -> bool:
        span = trace.get_current_span()
        return span is not trace.INVALID_SPAN and span.get_span_context().trace_flags.sampled


class Delivering:
    """The span of an attempt."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self.trace = trace_now()

    def end(self, status: int | None, *, is_success: bool) -> None:
        """Tell the answer's status; None if there was none."""
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
        if not is_success:
            self._span.set_attribute("error.type", "no answer" if status is None else str(status))
            self._span.set_status(Status(StatusCode.ERROR))


class Ticking:
    """The span of a tick. It begins when the tick knows which facts it looks at, and counts from the tick's beginning."""

    def __init__(self, tracer: trace.Tracer, always: trace.Tracer) -> None:
        self._tracer = tracer
        self._always = always
        self._begun = time.time_ns()
        self._span: Span | None = None
        self._token: Any = None  # Any: the library's own
        self.trace: str | None = None
        """The span's context as text; None if it is not written."""

    def begin(self, attributes: Attributes, traces: Collection[str]) -> None:
        """Link the tick to the operations that have written these facts."""
        tracer = self._always if traces else self._tracer
        self._span = tracer.start_span(
            "tick",
            contexts.Context(),
            attributes=attributes,
            links=links_to(traces),
            start_time=self._begun,
        )
        self._token = contexts.attach(trace.set_span_in_context(self._span))
        self.trace = trace_now()

    def end(self, changes: int | None) -> None:
        """The tick is committed, or it has failed if the number of changes is None."""
        if self._span is not None:
            contexts.detach(self._token)
            if changes is None:
                self._span.set_status(Status(StatusCode.ERROR))
            else:
                self._span.set_attribute("audience.changes", changes)
            self._span.end()
            self._span = None


def _share_of(sampler: Sampler) -> float | None:
    """The share of new traces that this sampler writes, by its standard description; None for a sampler that decides in another way."""
    found = _USUAL_SAMPLER.match(sampler.get_description())
    if found is None:
        return None
    return float(found["ratio"]) if found["ratio"] else float(found["name"] == "AlwaysOnSampler")


def trace_now() -> str | None:
    """The context of the current span as text, like the header `traceparent`; None without a span that is written."""
    span = trace.get_current_span()
    if not span.is_recording():
        return None
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def links_to(traces: Collection[str]) -> list[Link]:
    """Links to the last ones of these contexts. What is no context is left out."""
    found = (
        trace.get_current_span(
            _PROPAGATOR.extract({"traceparent": it}, contexts.Context())
        ).get_span_context()
        for it in list(traces)[-MOST_LINKS:]
    )
    return [Link(context) for context in found if context.is_valid]


@contextmanager
def _active(span: Span, context: contexts.Context | None = None) -> Iterator[None]:
    """Make it the current span, and end it. Of an exception, only the type is told."""
    token = contexts.attach(trace.set_span_in_context(span, context or contexts.Context()))
    try:
        yield
    except Exception as error:
        _fail(span, error)
        raise
    finally:
        contexts.detach(token)
        span.end()


def _fail(span: Span, error: BaseException) -> None:
    span.set_attribute("error.type", type(error).__qualname__)
    if isinstance(state := getattr(error, "sqlstate", None), str):
        span.set_attribute("db.response.status_code", state)
    span.set_status(Status(StatusCode.ERROR))


def _is_over(span: Span) -> bool:
    end = span.end_time if isinstance(span, ReadableSpan) else None
    return end is not None and time.time_ns() - end > _WHILE_ENDING_NANOSECONDS


def _ids_of_span() -> Mapping[str, object]:
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
