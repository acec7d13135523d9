"""What the process counts about itself. One registry per process object, no globals; it does not know what is counted.

Every name starts with `homeostat_` and ends with its unit. Asking twice for the same metric gives the same one, so that
three spools can share a counter with a label.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

LATENCY_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""From a cached look-up to the query time-out; 0.25 and 0.1 are bounds we promise, so they are edges."""

_NAME: Final = re.compile(r"homeostat_[a-z][a-z0-9_]*[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Declared:
    """Describe a metric that was declared."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]


class _ReadAtScrape(Collector):
    """Ask for the values when somebody looks, not before."""

    def __init__(self, declared: Declared, read: Callable[[], Iterable[tuple[Sequence[str], float]]]) -> None:
        self._declared = declared
        self._read = read

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(self._declared.name, self._declared.help, labels=self._declared.labels)
        for labels, value in self._read():
            family.add_metric(list(labels), value)
        return [family]

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return [GaugeMetricFamily(self._declared.name, self._declared.help, labels=self._declared.labels)]


class Telemetry:
    """Hold the metrics of one process object."""

    def __init__(self) -> None:
        """Begin with none."""
        self._registry = CollectorRegistry()
        self._declared: dict[str, Declared] = {}
        self._metrics: dict[str, MetricWrapperBase] = {}

    def counter(self, name: str, documentation: str, *, labels: Sequence[str] = ()) -> Counter:
        """Return the counter of this name; the name ends in `_total`."""
        if not name.endswith("_total"):
            message = f"the counter {name} does not end in _total"
            raise ValueError(message)
        if self._is_new(Declared(name, "counter", documentation, tuple(labels))):
            self._metrics[name] = Counter(name, documentation, labels, registry=self._registry)
        metric = self._metrics[name]
        assert isinstance(metric, Counter)  # what _is_new has checked, said to the type checker
        return metric

    def gauge(self, name: str, documentation: str, *, labels: Sequence[str] = ()) -> Gauge:
        """Return the gauge of this name."""
        if self._is_new(Declared(name, "gauge", documentation, tuple(labels))):
            self._metrics[name] = Gauge(name, documentation, labels, registry=self._registry)
        metric = self._metrics[name]
        assert isinstance(metric, Gauge)  # what _is_new has checked, said to the type checker
        return metric

    def histogram(
        self,
        name: str,
        documentation: str,
        *,
        labels: Sequence[str] = (),
        buckets: Sequence[float] = LATENCY_BUCKETS_S,
    ) -> Histogram:
        """Return the histogram of this name; `buckets` are upper edges in the unit that the name ends with."""
        if self._is_new(Declared(name, "histogram", documentation, tuple(labels))):
            self._metrics[name] = Histogram(name, documentation, labels, registry=self._registry, buckets=buckets)
        metric = self._metrics[name]
        assert isinstance(metric, Histogram)  # what _is_new has checked, said to the type checker
        return metric

    def observe(
        self,
        name: str,
        documentation: str,
        *,
        read: Callable[[], Iterable[tuple[Sequence[str], float]]],
        labels: Sequence[str] = (),
    ) -> None:
        """Declare a gauge that is read when somebody scrapes; `read` gives (label values, value) pairs."""
        declared = Declared(name, "gauge", documentation, tuple(labels))
        if not self._is_new(declared):
            message = f"the metric {name} is declared twice"
            raise ValueError(message)
        self._registry.register(_ReadAtScrape(declared, read))

    def value(self, name: str, **labels: str) -> float:
        """Return the current value of a sample, 0 when nothing was counted yet; for health checks and tests."""
        return self._registry.get_sample_value(name, labels) or 0.0

    def declared(self) -> tuple[Declared, ...]:
        """Return what was declared, by name."""
        return tuple(self._declared[name] for name in sorted(self._declared))

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """Return all values in the text format that the Accept header asks for, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def _is_new(self, declared: Declared) -> bool:
        if not _NAME.fullmatch(declared.name):
            message = f"the metric {declared.name} is not named homeostat_…, in small letters"
            raise ValueError(message)
        known = self._declared.setdefault(declared.name, declared)
        if known != declared:
            message = f"the metric {declared.name} is declared in two ways"
            raise ValueError(message)
        return known is declared
