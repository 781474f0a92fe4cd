"""What an older Kubernetes has not, and what that means for the suite.

Versions are those in which a feature is on by default: https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates/
and, of what is not listed there any more, pkg/features/kube_features.go of Kubernetes 1.36; of APIs:
https://kubernetes.io/docs/reference/using-api/deprecation-guide/.
"""

from __future__ import annotations

import re
from typing import NamedTuple

Version = tuple[int, int]

TRIED: Version = (1, 28)  # the oldest on which the suite is tried
VERSION = re.compile(r"v?(\d+)\.(\d+)")


class Feature(NamedTuple):
    """A feature: since which version of Kubernetes it is on, and what is otherwise."""

    name: str
    since: Version
    without: str


POLICIES = Feature("ValidatingAdmissionPolicy", (1, 30), "what `runner policy` prints cannot be applied, so rights alone hold its account")
FEATURES = (
    Feature("evictions by policy/v1", (1, 22), "nodes cannot be drained, and what a disruption budget allows is not known"),
    Feature("ephemeral containers", (1, 23), "faults of tier ephemeral are refused: engine-killed, engine-frozen, damage to stored data"),
    Feature("label batch.kubernetes.io/job-name", (1, 27), "pods of a training job are not told from those of others"),
    Feature("label batch.kubernetes.io/job-completion-index (KEP-4017)", (1, 28), "a rank cannot be chosen by its index"),
    Feature("native sidecars", (1, 29), "a training job whose pods have a sidecar never ends by itself"),
    POLICIES,
    Feature("appArmorProfile of a container", (1, 30), "nodes with AppArmor may keep fault pods from acting; see doctor --probe-nodes"),
    Feature("user of a container in a pod's status", (1, 33), "faults beside a container need runAsUser in its manifest"),
    Feature("resource health in a pod's status", (1, 36), "which GPU a pod has is read from its environment (NVIDIA_VISIBLE_DEVICES)"),
)


def parsed(text: str) -> Version | None:
    """Return (1, 27) of v1.27.3-gke.100; None where no version can be read."""
    found = VERSION.match(text)
    return (int(found[1]), int(found[2])) if found else None


def missing_in(version: Version) -> list[str]:
    """Return what a server of ``version`` has not, a sentence each, the oldest feature first."""
    lacking = [one for one in FEATURES if version < one.since]
    return [f"Kubernetes {shown(version)} has no {one.name} (on since {shown(one.since)}): {one.without}" for one in lacking]


def shown(version: Version) -> str:
    """Return (1, 27) as 1.27."""
    return ".".join(map(str, version))


def has_policies(version: Version) -> bool:
    """Tell whether a server of ``version`` knows admission policies."""
    return version >= POLICIES.since
