"""Writes metrics as Prometheus reads them, in the text format or as OpenMetrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

_TOTAL: Final = "_total"


def written(accept: str, *parts: Collector | CollectorRegistry) -> tuple[bytes, str]:
    """The metrics of all parts, and the media type, for a client with this header `Accept`."""
    encode, media_type = choose_encoder(accept)
    return encode(_Together(parts)), media_type


class Figures(Collector):
    """Figures that are known at present: by name, and by the values of their labels."""

    def __init__(self, help_of: Mapping[str, str]) -> None:
        self._help_of = help_of
        self._families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}

    def add(self, name: str, value: float, **labels: str) -> None:
        """One figure. A name that ends with `_total` is a counter, and every other one a gauge."""
        family = self._families.get(name)
        if family is None:
            kind = CounterMetricFamily if name.endswith(_TOTAL) else GaugeMetricFamily
            family = kind(name.removesuffix(_TOTAL), self._help_of[name], labels=tuple(labels))
            self._families[name] = family
        family.add_metric(tuple(labels.values()), value)

    def collect(self) -> Iterator[Metric]:
        yield from self._families.values()


class _Together(Collector):
    def __init__(self, parts: Iterable[Collector | CollectorRegistry]) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        for part in self._parts:
            yield from part.collect()
