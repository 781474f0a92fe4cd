"""A JobSet as somebody's template for training."""

from __future__ import annotations

from typing import Any

import yaml

from target.target import Target
from testing.platform.fake_cluster import ROOT

Plain = dict[str, Any]
SERVED = ("jobset.x-k8s.io/v1alpha2", "jobsets")
"""The resource, as :class:`testing.platform.in_memory.fake_objects.FakeObjects` knows what it serves."""


def job_set(
    *,
    name: str = "trainer",
    labels: dict[str, str] | None = None,
    replicas: int = 1,
    parallelism: int = 3,
    backoffLimit: int = 6,  # noqa: N803 - as manifests spell it
    launcher: bool = False,
    container: Plain | None = None,
    **spec: Any,
) -> Plain:
    """Return it, suspended; ``launcher``: a job without ranks stands before; ``spec``: what else it says."""
    ranks = _replicated("ranks", {"name": "trainer", "image": "r/train:1", **(container or {})}, replicas, parallelism, backoffLimit)
    before = [_replicated("launcher", {"name": "launcher", "image": "r/launch:1"}, 1, 1, backoffLimit)] if launcher else []
    if launcher:
        ranks["dependsOn"] = [{"name": "launcher", "status": "Ready"}]
    metadata = {"name": name, "uid": "u", "labels": {"app": "trainer", **(labels or {})}}
    return {"metadata": metadata, "spec": {"suspend": True, "replicatedJobs": [*before, ranks], **spec}}


def _replicated(name: str, container: Plain, replicas: int, parallelism: int, backoff: int) -> Plain:
    pod = {"metadata": {"labels": {"app": "trainer"}}, "spec": {"containers": [container]}}
    of_job = {"completions": parallelism, "parallelism": parallelism, "backoffLimit": backoff, "template": pod}
    return {"name": name, "replicas": replicas, "template": {"spec": of_job}}


def job_set_target() -> Target:
    """Return the embedded platform's target whose training jobs are JobSets."""
    raw = yaml.safe_load((ROOT / "targets" / "local.yaml").read_text())
    raw["workloads"]["batch-training"]["job"]["kind"] = "JobSet"
    return Target.model_validate(raw)
