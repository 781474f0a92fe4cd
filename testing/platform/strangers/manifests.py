"""An API server that has what a list of manifests says: paged lists, single objects, what pods and Services answer, and what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from testing.platform.kube_api import Answer, Asked, KubeApi, failure, kube_api, kubeconfig

Manifest = dict[str, Any]
OBJECTS = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>v[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?"
)
PROXIED = re.compile(r"/api/v1/namespaces/(?P<namespace>[^/]+)/(?P<kind>pods|services)/(?P<name>[^/:]+):(?P<port>\d+)/proxy(?P<path>/.*)")
NAMESPACE = re.compile(r"/api/v1/namespaces/(?P<name>[^/]+)")
CLUSTER_SCOPED = {"Node", "Namespace"}


@dataclass
class Manifests:
    """``forbidden``: resources as (plural, namespace), of the whole cluster with None; a plural alone is forbidden everywhere.

    ``answers``: what a pod or Service answers, by (name, port, path). ``gone``: once, a continue token is too old.
    """

    objects: list[Manifest] = field(default_factory=list)
    forbidden: set[tuple[str, str | None] | str] = field(default_factory=set)
    answers: dict[tuple[str, int, str], bytes | Callable[[str], bytes]] = field(default_factory=dict)
    version: tuple[str, str] = ("1", "34")
    gone: bool = False
    broken: set[str] = field(default_factory=set)  # plurals whose lists answer 500

    def answer(self, asked: Asked) -> Answer | None:
        """Say what such a server would."""
        parts = urlsplit(asked.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if asked.method != "GET":
            return failure(405, "nothing but GET is meant here")
        fixed = {"/version": self._version, "/apis": self._groups}.get(parts.path.rstrip("/"))
        if fixed is not None:
            return fixed()
        if proxied := PROXIED.fullmatch(unquote(parts.path)):
            return self._proxied(proxied, query)
        return self._objects(parts.path, query)

    def _objects(self, path: str, query: dict[str, str]) -> Answer:
        if alone := NAMESPACE.fullmatch(path):
            return self._one("", "namespaces", None, alone["name"])
        found = OBJECTS.fullmatch(path)
        if not found:
            return failure(404, f"nothing at {path}")
        if found["name"]:
            return self._one(found["group"] or "", found["plural"], found["namespace"], found["name"])
        return self._list(found["group"] or "", found["plural"], found["namespace"], query)

    def _version(self) -> Answer:
        words = ("gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform")
        return Answer(200, dict.fromkeys(words, "1") | {"major": self.version[0], "minor": self.version[1]})

    def _groups(self) -> Answer:
        versions = {group: version for group, _, version in (one["apiVersion"].rpartition("/") for one in self.objects) if group}
        named = [{"name": name, "preferredVersion": {"version": version}} for name, version in versions.items()]
        return Answer(200, {"kind": "APIGroupList", "groups": named})

    def _refuses(self, plural: str, namespace: str | None) -> bool:
        return plural in self.forbidden or (plural, namespace) in self.forbidden

    def _list(self, group: str, plural: str, namespace: str | None, query: dict[str, str]) -> Answer:
        if self._refuses(plural, namespace):
            where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
            return failure(403, f'{plural} is forbidden: User "dev" cannot list resource "{plural}" in API group "{group}" {where}')
        if plural in self.broken:
            return failure(500, "the server could not load it")
        items = [one for one in self.objects if _is(one, group, plural) and namespace in {None, one["metadata"].get("namespace")}]
        if not items and group and not any(one["apiVersion"].startswith(f"{group}/") for one in self.objects):
            return failure(404, "the server could not find the requested resource")
        start, limit = int(query.get("continue", "0")), int(query.get("limit", "0")) or len(items)
        if start and self.gone:
            self.gone = False
            body = {"kind": "Status", "message": "too old", "code": 410, "metadata": {"continue": str(start)}}
            return Answer(410, body)
        token = {"continue": str(start + limit)} if start + limit < len(items) else {}
        return Answer(200, {"kind": "List", "metadata": {"resourceVersion": "1", **token}, "items": items[start : start + limit]})

    def _one(self, group: str, plural: str, namespace: str | None, name: str) -> Answer:
        if self._refuses(plural, namespace):
            return failure(403, f'{plural} "{name}" is forbidden')
        near = [one for one in self.objects if _is(one, group, plural) and one["metadata"].get("namespace") == namespace]
        found = next((one for one in near if one["metadata"]["name"] == name), None)
        return Answer(200, found) if found else failure(404, f'{plural} "{name}" not found')

    def _proxied(self, asked: re.Match[str], query: dict[str, str]) -> Answer:
        if self._refuses(f"{asked['kind']}/proxy", asked["namespace"]):
            return failure(403, f"{asked['kind']}/proxy is forbidden")
        found = self.answers.get((asked["name"], int(asked["port"]), asked["path"]))
        if found is None:
            return failure(404, "404 page not found")
        return Answer(200, found(query.get("query", "")) if callable(found) else found)


def _is(one: Manifest, group: str, plural: str) -> bool:
    kind = one["kind"].lower()
    return one["apiVersion"].rpartition("/")[0] == group and plural == f"{kind}{'es' if kind.endswith('s') else 's'}"


@contextmanager
def served(cluster: Manifests, folder: Path, namespace: str = "") -> Iterator[tuple[KubeApi, Path]]:
    """Serve a cluster, and write a kubeconfig of one context that leads there."""
    with kube_api() as api:
        api.answer = cluster.answer
        config = kubeconfig(api.url)
        config["contexts"][0]["context"] |= {"namespace": namespace} if namespace else {}
        file = folder / "kubeconfig"
        file.write_text(yaml.safe_dump(config))
        yield api, file


def meta(name: str, namespace: str | None = None, labels: dict[str, str] | None = None, **more: Any) -> Manifest:
    """Return metadata."""
    where = {"namespace": namespace} if namespace else {}
    return {"name": name, "uid": f"uid-{name}", "labels": labels or {}, **where, **more}


def thing(kind: str, name: str, namespace: str | None = None, api: str = "v1", **more: Any) -> Manifest:
    """Return an object of any kind; ``labels`` go into its metadata."""
    return {"apiVersion": api, "kind": kind, "metadata": meta(name, namespace, more.pop("labels", None)), **more}


def container(name: str = "main", image: str = "i", command: str = "", ports: dict[str, int] | None = None, **more: Any) -> Manifest:
    """Return a container; ``ports`` by name, an empty name for none; ``command`` is parted by blanks."""
    named = [{"containerPort": port, **({"name": text} if text else {})} for text, port in (ports or {}).items()]
    return {"name": name, "image": image, **({"command": command.split()} if command else {}), "ports": named, **more}


def workload(  # noqa: PLR0917
    name: str, namespace: str, labels: dict[str, str], box: Manifest, replicas: int = 2, kind: str = "Deployment", **of_pod: Any
) -> list[Manifest]:
    """Return a Deployment or StatefulSet, and its pods as its controllers make them."""
    api, set_of = "apps/v1", {"pod-template-hash": "abc"} if kind == "Deployment" else {"controller-revision-hash": f"{name}-1"}
    owner = ("ReplicaSet", f"{name}-abc") if kind == "Deployment" else (kind, name)
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [box]}},
    }
    made = [thing(kind, name, namespace, api, labels=labels, spec=spec, status={"updatedReplicas": replicas})]
    return made + [pod(f"{name}-{i}", namespace, labels | set_of, box, (api, *owner), number=i, **of_pod) for i in range(replicas)]


def pod(  # noqa: PLR0917
    name: str,
    namespace: str,
    labels: dict[str, str],
    box: Manifest,
    owner: tuple[str, str, str] | None = None,
    number: int = 0,
    **spec: Any,
) -> Manifest:
    """Return a ready pod; its address follows from its name and number."""
    owners = [{"apiVersion": owner[0], "kind": owner[1], "name": owner[2], "uid": "u", "controller": True}] if owner else []
    address = f"10.1.{sum(name.encode()) % 250}.{number + 1}"
    status = {"phase": "Running", "podIP": address, "conditions": [{"type": "Ready", "status": "True"}]}
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": meta(name, namespace, labels, ownerReferences=owners),
        "spec": {"nodeName": f"node-{number % 3}", "containers": [box], **spec}, "status": status,
    }  # fmt: skip


def service(name: str, namespace: str, selector: dict[str, str], port: int, target: int | str | None = None, **spec: Any) -> Manifest:
    """Return a Service of one port."""
    ports = [
        {"name": spec.pop("port_name", "http"), "port": port, "targetPort": target or port, "protocol": "TCP"} | spec.pop("port_more", {})
    ]
    status = spec.pop("status", {})
    return thing(
        "Service",
        name,
        namespace,
        spec={"type": "ClusterIP", "clusterIP": "10.0.0.1", "selector": selector, "ports": ports, **spec},
        status=status,
    )


def node(
    name: str, zone: str | None = None, gpus: int = 0, resource: str = "nvidia.com/gpu", label: str = "topology.kubernetes.io/zone"
) -> Manifest:
    """Return a node."""
    labels = {"kubernetes.io/hostname": name} | ({label: zone} if zone else {})
    amounts = {"cpu": "16", **({resource: str(gpus)} if gpus else {})}
    address = [{"type": "InternalIP", "address": f"192.168.0.{sum(name.encode()) % 250}"}]
    return thing("Node", name, labels=labels, spec={}, status={"allocatable": amounts, "capacity": amounts, "addresses": address})


def namespace(name: str, **labels: str) -> Manifest:
    """Return a namespace."""
    return thing("Namespace", name, labels=labels)


def prometheus_answers(*series: dict[str, str], lately: bool = False) -> Callable[[str], bytes]:
    """Return a Prometheus behind a Service: gauges of engines, and ``up``; a series without a name is of ``up``.

    ``lately``: it scrapes nobody right now, and had its series in the last minutes.
    """

    def answer(promql: str) -> bytes:
        named = [one for one in series if ("__name__" in one) != ("(up" in promql) and ("last_over_time" in promql or not lately)]
        found = [{"metric": one, "value": [1.0, "1"]} for one in named] if "by (" in promql else [{"metric": {}, "value": [1.0, "1"]}]
        return json.dumps({"status": "success", "data": {"resultType": "vector", "result": found}}).encode()

    return answer
