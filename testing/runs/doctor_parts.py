"""A cluster on which every shipped experiment fits, and what doctor says of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from testing.platform.fake_cluster import pod
from testing.runs.runner_cluster import RunnerCluster

TEMPLATE: dict[str, Any] = {
    "metadata": {"name": "trainer", "namespace": "ml-training"},
    "spec": {
        "suspend": True,
        "jobTemplate": {
            "spec": {
                "completions": 3,
                "parallelism": 3,
                "completionMode": "Indexed",
                "template": {
                    "metadata": {"labels": {"app": "trainer"}},
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [
                            {
                                "name": "trainer",
                                "image": "r/trainer:1",
                                "env": [{"name": f"TRAIN_{key}", "value": "9"} for key in ("STEPS", "BATCH", "MAX_RESTARTS", "INTERVAL")],
                            }
                        ],
                    },
                },
            }
        },
    },
}
KINDS = (("cronjobs", "CronJob"), ("jobs", "Job"))
SERVING = ("experiments/serving/replica-killed.yaml", "experiments/control/null-control.yaml")


class Said(NamedTuple):
    """What doctor said, and what it took: requests to the API server, loads that were tried."""

    code: int
    lines: list[str]
    errors: str
    asked: list[str]
    tried: int

    def of(self, kind: str) -> list[str]:
        """Return the findings of a kind."""
        return [line.strip().removeprefix(kind).strip() for line in self.lines if line.startswith(f"  {kind}")]


Ask = Callable[..., Said]


def full_cluster() -> RunnerCluster:
    """Return a cluster with everything that the local target names."""
    cluster = RunnerCluster()
    for name, app in (("s3-0", "s3"), ("s3-1", "s3"), ("tracking", "tracking")):
        made = pod(name, "cpu-b", namespace="ml-training", app=app)
        made.spec.containers[0].name = app
        cluster.pods["ml-training", name] = made
    cluster.pods["ml-training", "ledger"] = pod("ledger", "cpu-a", namespace="ml-training", app="ledger")
    cluster.namespaces["ml-training"] = cluster.namespaces["ml-serving"]
    found = [{"name": name, "kind": kind, "singularName": "", "namespaced": True, "verbs": []} for name, kind in KINDS]
    cluster.served["/apis/batch/v1"] = {"groupVersion": "batch/v1", "resources": found}
    cluster.served["/apis/batch/v1/namespaces/ml-training/cronjobs/trainer"] = TEMPLATE
    cluster.served["/apis/batch/v1/namespaces/ml-training/jobs"] = {"items": []}
    return cluster
