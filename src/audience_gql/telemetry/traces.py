"""Whether this process writes spans, and with what. While it does not, `current` is None, and OpenTelemetry is not imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from audience_gql.telemetry.tracing import Tracing

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

current: Tracing | None = None
"""Set once, when the process starts. Everybody who writes spans looks here first."""


class TracesNotInstalled(Exception):
    """The environment asks for traces, and the packages for them are missing."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is set, but traces are not installed: pip install 'audience-gql[telemetry]'"
        )


def start_traces(process: str, environment: Mapping[str, str] = os.environ) -> None:
    """Write spans from now on, if the environment names a collector. `process` is the default of the service's name. Raises TracesNotInstalled."""
    global current  # noqa: PLW0603  # one for the process, and read where a parameter would cost more than the look
    name = next((name for name in _ENDPOINTS if environment.get(name)), None)
    if name is None or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    try:
        from audience_gql.telemetry.tracing import Tracing  # noqa: PLC0415  # only now is OpenTelemetry needed
    except ImportError as error:
        raise TracesNotInstalled(name) from error
    current = Tracing.to_collector(process)


def trace_to_leave() -> str | None:
    """The context of the current span, for marks and for changes in the outbox; None if it is not written."""
    return None if current is None else current.trace_to_leave()


def stop_traces() -> None:
    """Send what is left."""
    if current is not None:
        current.close()
