"""The small API server in memory, served over HTTP: for what is about requests themselves, and for clients that are not handed over."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml
from kubernetes.client.exceptions import ApiException

from testing.platform.fake_cluster import ROOT
from testing.platform.in_memory.asked_by_path import PLAIN
from testing.platform.kube_api import CONTEXT, Answer, Asked, KubeApi, failure, kube_api, kubeconfig
from testing.platform.targets import changed
from testing.runs.runner_cluster import RunnerCluster

V1 = r"/api/v1/namespaces/(?P<namespace>[^/]+)"
Query = dict[str, str]


class ServedCluster:
    """``cluster`` by HTTP. Whatever would change it is answered 405 and kept in ``changes``; dry runs are admitted."""

    def __init__(self, cluster: RunnerCluster, version: str = "v1.36.3") -> None:
        self.cluster, self.version = cluster, version
        self.changes: list[str] = []
        self._reads: dict[str, Callable[..., Any]] = {
            rf"{V1}/pods": lambda query, namespace: cluster.list_namespaced_pod(namespace, query.get("labelSelector", "")),
            rf"{V1}/pods/(?P<name>[^/]+)": lambda _, name, namespace: cluster.read_namespaced_pod(name, namespace),
            r"/api/v1/pods": lambda query: cluster.list_pod_for_all_namespaces(query.get("fieldSelector", "")),
            r"/api/v1/nodes": lambda _: cluster.list_node(),
            r"/api/v1/nodes/(?P<name>[^/]+)": lambda _, name: cluster.read_node(name),
            r"/api/v1/namespaces/(?P<name>[^/]+)": lambda _, name: _named(name, cluster.read_namespace(name).metadata.labels),
            rf"{V1}/configmaps": lambda _, namespace: cluster.list_namespaced_config_map(namespace, ""),
            rf"{V1}/secrets/(?P<name>[^/]+)": lambda _, name, namespace: (
                _named(name, {}) if (namespace, name) in cluster.secrets else _gone()
            ),
            r"/apis/coordination.k8s.io/v1/namespaces/(?P<namespace>[^/]+)/leases": lambda _, namespace: cluster.list_namespaced_lease(
                namespace, ""
            ),
            r"/apis/discovery.k8s.io/v1/namespaces/(?P<namespace>[^/]+)/endpointslices": self._slices,
        }

    def answer(self, asked: Asked) -> Answer:
        """Say what the cluster has, or why not."""
        parts = urlsplit(asked.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            return Answer(200, self._found(asked, unquote(parts.path), query))
        except ApiException as error:
            return failure(error.status or 500, str(error.reason))

    def _found(self, asked: Asked, path: str, query: Query) -> Any:
        if path.rstrip("/") == "/version":
            words = ("gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform", "major", "minor")
            return dict.fromkeys(words, "1") | {"gitVersion": self.version}
        if "/proxy" in path:
            return {"answers": "well"}
        if asked.method == "GET":
            return self._read(path, query)
        if path.endswith("/selfsubjectaccessreviews"):
            return {"spec": {}, "status": {"allowed": self._allows(json.loads(asked.body)["spec"]["resourceAttributes"])}}
        if query.get("dryRun") == "All":
            return {}
        self.changes.append(f"{asked.method} {path}")
        raise ApiException(status=405, reason="nothing is to be changed here")

    def _allows(self, right: Query) -> bool:
        resource = "/".join(filter(None, (right["resource"], right.get("subresource"))))
        return (right["verb"], resource) not in self.cluster.denied

    def _read(self, path: str, query: Query) -> Any:
        for pattern, read in self._reads.items():
            if match := re.fullmatch(pattern, path):
                return _plain(read(query, **match.groupdict()))
        return _plain(self.cluster.answer("GET", path))

    def _slices(self, query: Query, namespace: str) -> Any:
        found = self.cluster.list_namespaced_endpoint_slice(namespace, query["labelSelector"]).items
        return {"items": [{"addressType": "IPv4", "endpoints": [], "metadata": {"name": name}} for name in found]}


def _gone() -> Any:
    raise ApiException(status=404, reason="Not Found")


def _named(name: str, labels: Any) -> Any:
    return {"metadata": {"name": name, "labels": labels}}


def _plain(found: Any) -> Any:
    """Return an object or a list of the client library as JSON has it."""
    items = {"items": found.items} if isinstance(found, SimpleNamespace) else found
    return json.loads(json.dumps(PLAIN.sanitize_for_serialization(items)))


@contextmanager
def served_cluster(served: ServedCluster, folder: Path, **changes: Any) -> Iterator[tuple[KubeApi, Path]]:
    """Serve a cluster, and write the local target (with ``changes``) so that it leads there; yield the server and the target's file."""
    with kube_api() as api:
        api.answer = served.answer
        (folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig(api.url)))
        raw = yaml.safe_load((ROOT / "targets" / "local.yaml").read_text())
        reached = {"kubeconfig": str(folder / "kubeconfig"), "context": CONTEXT, "server": api.url}
        file = folder / "target.yaml"
        file.write_text(yaml.safe_dump(changed(raw, **(reached | changes))))
        yield api, file
