"""The Kubernetes API in memory, as far as a whole run asks it, and the target file that goes with it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import yaml

from target.target import Target
from testing.platform.fake_cluster import ROOT, FakeCluster, local_target

ROLES = {name: {"namespace": "ml-serving", "selector": f"app={name}"} for name in ("inference", "gateway", "decoy")}


class MemoryCluster(FakeCluster):
    """The API in memory, as far as a whole run asks it."""

    def list_namespaced_event(self, namespace: str, **_: object) -> Any:  # noqa: ANN401, ARG002, D102 - the API's own signature
        return SimpleNamespace(items=[])

    def read_namespaced_pod_log(self, name: str, namespace: str, **_: object) -> str:  # noqa: ARG002, D102 - the API's own signature
        return "no log in memory\n"

    def read_node(self, name: str, **_: object) -> Any:  # noqa: ANN401, D102 - the API's own signature
        return super().read_node(name)


def target_for(url: str, **changes: Any) -> Target:  # noqa: ANN401 - any key of a target file
    """Return the embedded platform's target, with the server at ``url`` in place of its load balancer."""
    serving = {"realtime-inference": yaml.safe_load((ROOT / "targets" / "local.yaml").read_text())["workloads"]["realtime-inference"]}
    return local_target(roles=ROLES, endpoints={"inference": url}, prometheus=None, workloads=serving, **changes)
