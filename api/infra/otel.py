"""OpenTelemetry, which is imported here alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from urllib.parse import unquote

from opentelemetry import context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    SpanKind,
    Status,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from sqlalchemy import Engine

from api.config import Settings
from api.infra.tracing import TRACEPARENT, Span

PATIENCE = 2.0
"""Seconds for a batch; a collector that needs longer loses it."""
TEXTS = ("exception.message", "exception.stacktrace")

_processors: list[BatchSpanProcessor] = []


def start(settings: Settings, engine: Engine) -> Callable[[str], Span]:
    """How to begin the span of a request."""
    resource = Resource(
        {
            "service.name": "madang",
            "service.version": version("madang"),
            "deployment.environment.name": settings.environment,
        }
    )
    sampler = ParentBased(TraceIdRatioBased(settings.otel_traces_sampler_arg))
    provider = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
    processor = BatchSpanProcessor(_Discreet(_exporter(settings)))
    provider.add_span_processor(processor)
    _processors.append(processor)
    SQLAlchemyInstrumentor().instrument(engine=engine, tracer_provider=provider)
    RedisInstrumentor().instrument(tracer_provider=provider)
    tracer = provider.get_tracer("madang")
    propagator = TraceContextTextMapPropagator()

    untraced = context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, value=True)

    def begin(traceparent: str) -> Span:
        # It takes ids of which we say that they are none.
        known = {"traceparent": traceparent} if TRACEPARENT.fullmatch(traceparent) else {}
        span = tracer.start_span("request", propagator.extract(known), kind=SpanKind.SERVER)
        ids = span.get_span_context()
        known_as = format_trace_id(ids.trace_id), format_span_id(ids.span_id)
        # Each request runs in a context of its own, so nothing has to be undone.
        if span.is_recording():
            context.attach(set_span_in_context(span))
            return Span(*known_as, span)
        # Statements and Redis calls of a request that is not traced cost nothing then.
        context.attach(untraced)
        return Span(*known_as)

    return begin


def stop() -> None:
    """Send what waits, and no longer than ``PATIENCE``."""
    for processor in _processors:
        processor._batch_processor.shutdown(timeout_millis=int(PATIENCE * 1000))  # noqa: SLF001 - the public way waits for 30 s
    _processors.clear()


def _exporter(settings: Settings) -> OTLPSpanExporter:
    pairs = (
        pair.partition("=")
        for pair in (settings.otel_exporter_otlp_headers or "").split(",")
        if pair
    )
    return OTLPSpanExporter(
        endpoint=f"{(settings.otel_exporter_otlp_endpoint or '').rstrip('/')}/v1/traces",
        headers={name.strip(): unquote(value.strip()) for name, _, value in pairs},
        timeout=PATIENCE,
    )


class _Discreet(SpanExporter):
    """Leaves out the texts of exceptions, as the log does: they repeat what a client sent or a row holds."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([_without_texts(span) for span in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _without_texts(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=[_event(each) for each in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _event(event: Event) -> Event:
    kept = {name: each for name, each in (event.attributes or {}).items() if name not in TEXTS}
    return Event(event.name, kept, event.timestamp)
