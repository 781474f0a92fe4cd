"""Whether what measures beside the workloads is up: instrument pods, Prometheus, the alerting rules that are judged."""

from __future__ import annotations

import socket

from history.alert_plan import AlertPlan
from history.errors import NoData, TargetRefused
from kube.client import Platform, ready
from kube.selection import instrument_pods
from probes.prometheus.alert_rules import NotAsDeclared, alert_plans
from probes.prometheus.values import query


def check_instruments(platform: Platform) -> None:
    """Refuse unless every instrument pod is ready. Raises TargetRefused."""
    sick = [
        pod.metadata.name
        for pod in instrument_pods(platform)
        if not ready(pod) and pod.metadata.namespace != platform.target.suite.namespace
    ]
    if sick:
        raise TargetRefused(
            f"instruments are not ready: {', '.join(sorted(sick))}; without them nothing can be measured; repair them first"
        )


def check_prometheus(platform: Platform) -> None:
    """Refuse unless Prometheus answers, where the target names one. Raises TargetRefused."""
    try:
        if platform.region.prometheus is not None:
            query(platform.region, "vector(1)")
    except NoData as error:
        raise TargetRefused(f"{error}; it is an instrument of the run; nothing was injected") from error


def check_receiver(platform: Platform) -> None:
    """Refuse unless the receiver of alerts, where the target names one, can listen. Raises TargetRefused."""
    receiver = platform.region.alerts.receiver if platform.region.alerts else None
    if receiver is None:
        return
    try:
        socket.create_server(receiver.address, family=receiver.family).close()
    except (OSError, UnicodeError) as error:  # the latter: a name that no DNS takes
        raise TargetRefused(
            f"the receiver of alerts can't listen on {receiver.listen} ({error}); nothing was injected; end what listens there, or "
            "write an address of this machine and a free port as listen"
        ) from error


def judged_alerts(platform: Platform) -> tuple[AlertPlan, ...]:
    """Return the alerting rules that the target file names, as Prometheus has them. Raises TargetRefused: it has not, or does not say."""
    try:
        return alert_plans(platform.target, platform.region_name)
    except NotAsDeclared as error:
        raise TargetRefused(f"{error}; nothing was injected", parts=error.parts) from error
    except NoData as error:
        raise TargetRefused(f"{error}; alerts of the target file need it; nothing was injected") from error
