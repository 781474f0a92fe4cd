"""Where the queue is asked for in this run, found before it begins: what is not there would only be noticed after two baselines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from history.errors import NoData, TargetRefused
from kube.client import Platform, api_errors
from probes.prometheus.gauge import LEAST_FRESH_S, Gauge, Reading, find, read
from probes.queue import GAUGE
from runner.experiment.experiment import Experiment
from runner.experiment.needs import of_queue
from runner.experiment.variables import filled
from target.requests import RequestsClass

SHOWN = 3  # pods that a sentence names


@dataclass(frozen=True, slots=True)
class QueueSource:
    """``asked``: by hypothesis or evidence, so that the run needs it. ``remarks``: what it costs, or why it is not recorded."""

    gauge: Gauge | None = None
    asked: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def every_s(self) -> float:
        """How far apart its samples are (s); 0: there are none."""
        return self.gauge.every_s if self.gauge else 0.0

    @property
    def fresh_s(self) -> float:
        """How old a value may be (s)."""
        return self.gauge.fresh_s if self.gauge else LEAST_FRESH_S

    @property
    def held_s(self) -> float:
        """How long whoever asks for it waits at least, so that what is asked at the end was scraped meanwhile (s)."""
        return self.gauge.seen_s if self.gauge and self.asked else 0.0


NO_QUEUE = QueueSource()


def queue_source(experiment: Experiment, platform: Platform) -> QueueSource:
    """Return where the queue of the experiment's class of requests is; nowhere if it has none, or the target no Prometheus.

    Raises:
        TargetRefused: a probe asks for it, and Prometheus has it not, or that of another cluster.

    """
    role = _role(experiment, platform)
    if role is None or platform.region.prometheus is None:
        return NO_QUEUE
    asked = [(probe.name, filled(probe.provider.arguments, experiment, platform.target)) for probe in of_queue(experiment)]
    try:
        found = [_found(platform, str(wanted.get("role") or role), wanted, name) for name, wanted in asked]
    except NoData as error:
        advice = "nothing was injected; correct that, or leave the queue out: queue_max of the class's steady_state"
        raise TargetRefused(f"{error}; {advice}") from error
    if not found:
        return _beside(platform, role)
    gauge, _ = found[0]
    return QueueSource(gauge, asked=True, remarks=(*_cost(gauge), *(text for _, texts in found for text in texts)))


def _beside(platform: Platform, role: str) -> QueueSource:
    """Return where a queue is that nobody asks for: it is recorded for the report, if it is there."""
    wanted: dict[str, object] = {"metric": platform.target.role(role).queue_metric}
    try:
        gauge, remarks = _found(platform, role, wanted, "the queue")
    except NoData as error:
        return QueueSource(remarks=(f"{error}; it is not recorded, and nothing in this run needs it",))
    return QueueSource(gauge, remarks=tuple(remarks))


def _found(platform: Platform, role: str, wanted: dict[str, object], who: str) -> tuple[Gauge, list[str]]:
    """Return a gauge that has a value, of this role's pods unless labels of its own say otherwise, and what is odd. Raises NoData."""
    try:
        metric, labels, served = str(wanted.get("metric", "")), str(wanted.get("labels", "")), platform.target.role(role)
        gauge = find(platform.region, served, GAUGE, metric, labels)
        reading, of_role = read(gauge), labels in {"", served.series_matchers}
        return gauge, _strangers(platform, role, gauge, reading) if of_role else []
    except NoData as error:
        raise type(error)(f"{who}: {error}") from error


def _strangers(platform: Platform, role: str, gauge: Gauge, reading: Reading) -> list[str]:
    """Return which pods count that are not of ``role``. Raises NoData: all of them, so it is another platform's queue."""
    with api_errors(f"list the pods of role {role}", TargetRefused):
        own = {pod.metadata.name for pod in platform.pods(role)}
    others = sorted(reading.pods - own)
    if not others:
        return []
    some = ", ".join(others[:SHOWN]) + (" …" if len(others) > SHOWN else "")
    if own and not reading.pods & own:
        said = "; ".join((f"pods {some}", *(f'{name}="{value}"' for name, value in reading.shared.items())))
        raise NoData(
            f"Prometheus: {gauge.selector} is of no pod of role {role} ({', '.join(sorted(own)[:SHOWN])}), but of {said}: that is another "
            "platform or cluster; correct prometheus.url or its labels, or roles.ROLE.metrics.labels"
        )
    return [f"queue: {gauge.selector} counts pods that are not of role {role}, too ({some}); roles.{role}.metrics.labels tells them apart"]


def _cost(gauge: Gauge) -> Iterator[str]:
    if gauge.seen_s > LEAST_FRESH_S:
        yield (
            f"queue: {gauge.selector} is scraped every {gauge.every_s:.3g} s, so a backlog's end is known to {gauge.seen_s:.3g} s; "
            "baseline and hold last so long at least"
        )


def _role(experiment: Experiment, platform: Platform) -> str | None:
    classes = platform.target.workloads
    found = (classes[name] for name in experiment.settings.workloads)
    return next((one.role for one in found if isinstance(one, RequestsClass)), None)
