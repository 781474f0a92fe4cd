"""The shortest label selector that means one workload and nothing else of its namespace. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import NamedTuple

from runner.discovery.workloads import Workload

USUAL = (
    "app.kubernetes.io/instance", "app.kubernetes.io/name", "app", "k8s-app", "app.kubernetes.io/component", "component", "name", "tier",
    "model", "llm-d.ai/model", "llm-d.ai/role", "serving.kserve.io/inferenceservice", "ray.io/cluster", "ray.io/group", "release",
)  # fmt: skip
"""Labels by which people select, in this order; any other comes after them."""
CHANGING = re.compile(
    r"hash$|^helm\.sh/chart$|^app\.kubernetes\.io/version$|revision|generation$|^app\.kubernetes\.io/managed-by$|pod-name$|pod-index$|-index$|^heritage$|^chart$"
    r"|^date$|^uid$|^role$|-role$|controller-uid$|job-name$|^ray\.io/identifier$|^statefulset\.kubernetes\.io/|checksum|^leaderworkerset\.sigs\.k8s\.io/"
    r"(group-key|template-revision)"
)
"""Labels that are another pod's after a rollout or a failover, or that say nothing."""
MOST = 3  # labels of a selector, before all are taken


class Selected(NamedTuple):
    """A selector, and the other workloads of the namespace that it selects too, because no label tells them apart."""

    selector: str
    others: tuple[Workload, ...]


def selector_of(workload: Workload, all_workloads: Iterable[Workload]) -> Selected:
    """Return how to select a workload; an empty selector: its pods have no label that lasts."""
    near = [one for one in all_workloads if one.namespace == workload.namespace and one is not workload]
    labels = dict(_lasting(workload.labels))
    for count in range(1, min(MOST, len(labels)) + 1):
        for names in combinations(labels, count):
            chosen = {name: labels[name] for name in names}
            if not any(_meets(chosen, one) for one in near):
                return Selected(written(chosen), ())
    return Selected(written(labels), tuple(one for one in near if _meets(labels, one)))


def written(labels: Mapping[str, str]) -> str:
    """Return labels as a selector."""
    return ",".join(f"{name}={value}" for name, value in labels.items())


def _lasting(labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the labels that last, those by which people select first."""
    lasting = {name: value for name, value in labels.items() if value and not CHANGING.search(name)}
    yield from ((name, lasting[name]) for name in USUAL if name in lasting)
    yield from ((name, value) for name, value in sorted(lasting.items()) if name not in USUAL)


def _meets(labels: Mapping[str, str], other: Workload) -> bool:
    """Tell whether any pod of ``other`` may have all of ``labels``: those that its pods have in common, or its sample alone."""
    shown = {**(other.sample.metadata.labels or {}), **other.labels}
    return labels.items() <= shown.items()
