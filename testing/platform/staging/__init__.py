"""A cluster that the suite did not set up: other names, a restricted namespace, a ServiceAccount with what ``runner rbac`` prints."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from cluster.state import State
from history.errors import NoData
from kube.client import Platform, connect
from probes.prometheus.client import ask
from runner.cleanup.leftovers import find_leftovers
from target.target import Target, load_target
from testing.load.scripted_server import write_prompts
from testing.platform.cluster_driver import ROOT, Cluster
from testing.waiting import wait_for

NAME = "staging"
HERE = Path(__file__).parent
SUITE_NAMESPACE, ACCOUNT = "acme-chaos", "aftershock"
NAMES = ("serving/replica-killed", "control/null-control", "control/sham-control")
EXPERIMENTS = tuple(ROOT / "experiments" / f"{name}.yaml" for name in NAMES)
START_S = 300.0  # a machine that does other things at the same time


@dataclass(frozen=True, slots=True)
class Staging:
    """The cluster, and the one file by which the suite knows it."""

    cluster: Cluster
    folder: Path
    target_file: Path

    @property
    def target(self) -> Target:
        return load_target(self.target_file)

    def connect(self) -> Platform:
        """Connect as the suite's own account."""
        return connect(self.target)

    @property
    def all_rights(self) -> dict[str, str]:
        """Return the keys of a target file that lead there as the cluster's administrator."""
        name = self.cluster.name
        return {"kubeconfig": str(State(name).kubeconfig), "context": f"aftershock-{name}"}

    def apply(self, manifests: str) -> None:
        self.cluster.kubectl("apply", "-f", "-", stdin=manifests)

    def printed_rbac(self, *experiments: Path) -> list[dict[str, object]]:
        """Return what ``python -m runner rbac`` prints."""
        command = [sys.executable, "-m", "runner", "rbac", "--target", str(self.target_file), *map(str, experiments or EXPERIMENTS)]
        return list(yaml.safe_load_all(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout))

    def kubeconfig(self, token: str) -> dict[str, object]:
        """Return a kubeconfig with a bearer token, as a user would write it."""
        admin = yaml.safe_load(State(self.cluster.name).kubeconfig.read_text())
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "acme", "cluster": admin["clusters"][0]["cluster"]}],
            "users": [{"name": "chaos", "user": {"token": token}}],
            "contexts": [{"name": "chaos@acme", "context": {"cluster": "acme", "user": "chaos"}}],
        }

    def token(self, *options: str) -> str:
        return self.cluster.kubectl("-n", SUITE_NAMESPACE, "create", "token", ACCOUNT, *options).strip()

    def scrapes(self) -> bool:
        """Tell whether its Prometheus has asked a model server for its metrics."""
        try:
            return bool(ask(self.target.only_region(), "up == 1").series)
        except NoData:
            return False

    def unavailable(self) -> list[str]:
        """Return the Deployments that lack replicas, and pods that are being replaced."""
        found = json.loads(self.cluster.kubectl("get", "deployments,pods", "-A", "-o", "json"))["items"]
        deployments = [one for one in found if one["kind"] == "Deployment"]
        lacking = [one["metadata"]["name"] for one in deployments if one["status"].get("availableReplicas", 0) < one["spec"]["replicas"]]
        return lacking + [one["metadata"]["name"] for one in found if "deletionTimestamp" in one["metadata"]]


@contextmanager
def standing(name: str, folder: Path) -> Iterator[Staging]:
    """Bring the cluster up, and down at the end, also after a failure; what an earlier session left is cleared before."""
    cluster = Cluster(name)
    cluster.run("down")
    try:
        cluster.run("up", "--config", str(HERE / "cluster.yaml"))
        made = Staging(cluster, folder, folder / "acme.yaml")
        made.apply((HERE / "platform.yaml").read_text())
        write_target(made)
        made.apply(yaml.safe_dump_all(made.printed_rbac()))
        (folder / "kubeconfig").write_text(yaml.safe_dump(made.kubeconfig(made.token("--duration=1h"))))
        wait_for(lambda: not made.unavailable(), "the platform of the staging cluster is up", START_S)
        wait_for(made.scrapes, "its Prometheus has series of the model servers", START_S)
        yield made
    finally:
        cluster.run("down")


def write_target(staging: Staging) -> None:
    """Fill in what only the running cluster knows."""
    cluster = State(staging.cluster.name).load_config()
    ports = {frontend.name: str(frontend.port) for frontend in cluster.frontends}
    values = {
        "SERVER": cluster.server,
        "KUBECONFIG": str(staging.folder / "kubeconfig"),
        "LLM_PORT": ports["inference"],
        "METRICS_PORT": ports["prometheus"],
        "PROMPTS": str(write_prompts(staging.folder / "prompts.jsonl")),
    }
    text = (HERE / "target.yaml").read_text()
    for name, value in values.items():
        text = text.replace(name, value)
    staging.target_file.write_text(text)


def nothing_left(platform: Platform) -> bool:
    left = find_leftovers(platform)
    pods = platform.core.list_namespaced_pod(SUITE_NAMESPACE).items
    return not (left.journals or left.leases or left.cordons or pods)
