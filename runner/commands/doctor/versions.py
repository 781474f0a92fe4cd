"""What an older Kubernetes has not, and what that means for the suite.

Versions are those in which a feature is on by default: https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates/
and, of what is not listed there any more, pkg/features/kube_features.go of Kubernetes 1.36.
"""

from __future__ import annotations

import re
from typing import NamedTuple

VERSION = re.compile(r"v?(\d+)\.(\d+)")


class Feature(NamedTuple):
    """A feature: since which minor version of Kubernetes 1 it is on, and what is otherwise."""

    name: str
    since: int
    without: str


POLICIES = Feature("ValidatingAdmissionPolicy", 30, "what `runner policy` prints cannot be applied, so rights alone hold its account")
FEATURES = (
    Feature("resource health in a pod's status", 36, "which GPU a pod has is read from its environment (NVIDIA_VISIBLE_DEVICES)"),
    Feature("the user of a container in a pod's status", 33, "faults beside a container need runAsUser in its manifest"),
    POLICIES,
    Feature("appArmorProfile of a container", 30, "nodes with AppArmor may keep fault pods from what they do; see doctor --probe-nodes"),
    Feature("native sidecars", 29, "a training job whose pods have a sidecar never ends by itself"),
    Feature("the label batch.kubernetes.io/job-name", 27, "pods of a training job are not told from those of others"),
    Feature("ephemeral containers", 23, "faults of tier ephemeral are refused: engine-killed, engine-frozen, damage to stored data"),
)


def missing_in(version: str) -> list[str]:
    """Return what a server of ``version`` (v1.27.3-gke.100) has not, a sentence each; empty where the version cannot be read."""
    return [f"Kubernetes {version} has no {one.name} (on since 1.{one.since}): {one.without}" for one in _lacking(version)]


def has_policies(version: str) -> bool:
    """Tell whether a server of ``version`` knows admission policies, as far as its version says."""
    return POLICIES not in _lacking(version)


def _lacking(version: str) -> list[Feature]:
    """Return the features that came later, the oldest first."""
    found = VERSION.match(version)
    return [one for one in reversed(FEATURES) if found and found[1] == "1" and int(found[2]) < one.since]
