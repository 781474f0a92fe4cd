"""What Prometheus is told of the queue: asked of Redis at each scrape, so that nothing old is ever shown."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from workloads.async_inference.job import Backlog


class QueueCollector(Collector):
    """The gauges of one Redis; ``look`` raises what it raises, and the scrape fails."""

    def __init__(self, look: Callable[[], Backlog]) -> None:
        self._look = look

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield depth, age of the oldest, and dead letters."""
        seen = self._look()
        yield GaugeMetricFamily("async_inference_queue_depth", "Jobs that were accepted and have not ended", seen.depth)
        yield GaugeMetricFamily("async_inference_oldest_seconds", "Age of the oldest of them", seen.oldest_s)
        yield GaugeMetricFamily("async_inference_dead_letters", "Poison messages that were set aside", seen.dead)


def exposition(look: Callable[[], Backlog]) -> bytes:
    """Return the gauges as Prometheus reads them."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(QueueCollector(look))
    return generate_latest(registry)
