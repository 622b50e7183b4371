"""Counts durations as a histogram for the Prometheus client. Counting one is a search and two additions, without a lock."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Series:
    """The durations of one combination of labels."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """How many durations were longer than the bound before, and not longer than this one. The last one has no bound."""
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self._bounds, seconds)] += 1
        self.total += seconds


class Durations(Collector):
    """A histogram of which every series exists from the beginning. One thread counts, and the same thread reads."""

    def __init__(
        self,
        name: str,
        description: str,
        labels: Sequence[str],
        bounds: Sequence[float],
        combinations: Sequence[tuple[str, ...]],
    ) -> None:
        self._name = name
        self._description = description
        self._labels = labels
        self._ends = [*map(floatToGoString, bounds), "+Inf"]
        self.series: Mapping[tuple[str, ...], Series] = {it: Series(bounds) for it in combinations}

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self._name, self._description, labels=self._labels)
        for values, series in self.series.items():
            buckets = [*zip(self._ends, accumulate(series.counts), strict=True)]
            family.add_metric(values, buckets, series.total)
        yield family
