"""The metrics as Prometheus reads them. The library that writes the text is loaded when first asked for."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from daemon.meters import Family, Kind, Spread
from daemon.web.asking import Answer, Asking, Raw
from daemon.web.route import Route, read

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

MEDIA = "text/plain; version=0.0.4; charset=utf-8"  # the format that every Prometheus reads
ENDLESS = "+Inf"
COUNTER_ENDING = "_total"  # which the library adds by itself


async def metrics(asking: Asking) -> Answer:
    """Every metric, as Prometheus reads it."""
    readings = await asking.operations.metrics.readings()
    # In a thread: the first time a library is loaded, and each time files of /proc are read.
    body = await asyncio.to_thread(exposed, readings)
    return Answer(value=Raw(body=body, media=MEDIA))


def exposed(readings: Sequence[Family | Spread]) -> bytes:
    """The readings, and what the system knows of this process, as text.

    Source of the format: https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.exposition import generate_latest

    registry = CollectorRegistry()
    registry.register(_Collected(readings))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Collected:
    """Readings as the library takes them."""

    def __init__(self, readings: Iterable[Family | Spread]) -> None:
        self._readings = readings

    def collect(self) -> "Iterator[Metric]":
        """Give one family after the other."""
        for reading in self._readings:
            yield _histogram(reading) if isinstance(reading, Spread) else _family(reading)


def _family(reading: Family) -> "Metric":
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

    is_counter = reading.kind is Kind.COUNTER
    made = CounterMetricFamily if is_counter else GaugeMetricFamily
    name = reading.name.removesuffix(COUNTER_ENDING) if is_counter else reading.name
    family = made(name, reading.about, labels=reading.labels)
    for labels, value in sorted(reading.values.items()):
        family.add_metric(labels, value)
    return family


def _histogram(reading: Spread) -> "Metric":
    from prometheus_client.metrics_core import HistogramMetricFamily

    bounds = [*(str(bound) for bound in reading.bounds), ENDLESS]
    family = HistogramMetricFamily(reading.name, reading.about)
    family.add_metric([], list(zip(bounds, reading.cumulative, strict=True)), reading.sum)
    return family


METRIC_ROUTES: tuple[Route, ...] = (read("/metrics", metrics, gives=MEDIA),)
