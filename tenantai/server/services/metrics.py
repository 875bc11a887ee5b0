"""Counts of what the server does, told in Prometheus' format to whoever may ask.

What must stay true: no label names a tenant, an account or a person; counting costs a request a microsecond, all else is done
when it is asked for.
"""

import platform
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from tenantai import __version__
from tenantai.server.services.metering.meter import Meter
from tenantai.server.services.stream_slots import StreamSlots
from tenantai.storage import across_tenants
from tenantai.storage.database import Database

if TYPE_CHECKING:
    from prometheus_client import Metric

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
Named = tuple[str, str]
"""A route's method and path, as the routes have it: ids are left out."""


@dataclass(slots=True)
class Tally:
    """Requests of one kind: how many took how long."""

    buckets: list[int]
    seconds: float = 0.0


class Metrics:
    """What was counted since the start."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[object, int], Tally] = {}

    def count(self, route: object, status: int, seconds: float) -> None:
        """Count a request that was answered; the route is None where there was none."""
        tally = self._tallies.get((route, status))
        if tally is None:
            tally = self._tallies[route, status] = Tally([0] * (len(BOUNDS) + 1))
        tally.buckets[bisect_left(BOUNDS, seconds)] += 1
        tally.seconds += seconds

    async def families(
        self, *, names: Mapping[object, Named], database: Database, meter: Meter, streams: Mapping[str, StreamSlots]
    ) -> list["Metric"]:
        """Return all there is to tell; `names` are those of the routes. Raises NotReady where the database can't be asked."""
        from prometheus_client.core import (  # noqa: PLC0415  a start need not wait for it
            CounterMetricFamily,
            GaugeMetricFamily,
            InfoMetricFamily,
        )

        build = {"version": __version__, "python": platform.python_version()}
        open_streams = GaugeMetricFamily("tenantai_open_streams", "Streams that are open now.", labels=["kind"])
        for kind, slots in streams.items():
            open_streams.add_metric([kind], slots.open_count)
        queue = GaugeMetricFamily("tenantai_files_in_queue", "Files that wait, or are being indexed.", labels=["state"])
        for state, count in (await across_tenants.queue_lengths(database.reading)).items():
            queue.add_metric([state], count)
        tokens = CounterMetricFamily("tenantai_tokens", "Tokens of models.", labels=["model", "direction"])
        for (model, direction), count in sorted(meter.tokens.items()):
            tokens.add_metric([model, direction], count)
        written = database.written
        return [
            InfoMetricFamily("tenantai_build", "What runs.", value=build),
            self._durations(names),
            open_streams,
            queue,
            tokens,
            CounterMetricFamily("tenantai_database_commits", "Transactions of the writer.", value=written.commits),
            CounterMetricFamily("tenantai_database_units", "Units of work in them.", value=written.units),
            CounterMetricFamily("tenantai_database_commit_seconds", "Time that they took.", value=written.seconds),
        ]

    def _durations(self, names: Mapping[object, Named]) -> "Metric":
        from prometheus_client.core import HistogramMetricFamily  # noqa: PLC0415

        told = HistogramMetricFamily(
            "tenantai_request_duration_seconds", "Time to the end of an answer.", labels=["method", "route", "status"]
        )
        for (route, status), tally in self._tallies.items():
            method, path = names.get(route, ("", "none"))
            bounds = (*map(str, BOUNDS), "+Inf")
            buckets = list(zip(bounds, accumulate(tally.buckets), strict=True))
            told.add_metric([method, path, str(status)], buckets=buckets, sum_value=tally.seconds)
        return told


def exposition(families: Iterable["Metric"]) -> tuple[bytes, str]:
    """Return families, with the process's own figures, as Prometheus reads them, and the media type of that."""
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest  # noqa: PLC0415
    from prometheus_client.exposition import CONTENT_TYPE_LATEST  # noqa: PLC0415
    from prometheus_client.registry import Collector  # noqa: PLC0415

    class Told(Collector):
        def collect(self) -> Iterable["Metric"]:
            return families

    registry = CollectorRegistry()
    registry.register(Told())
    ProcessCollector(registry=registry)
    return generate_latest(registry), CONTENT_TYPE_LATEST
