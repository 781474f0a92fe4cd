"""A large platform as the scripted API server has it: lists in pages, selectors, metadata only; and an account of what was asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import orjson

from kube.labels import selects
from testing.platform.kube_api import Answer, Asked, failure
from testing.platform.large.manifests import CONSENT, SUITE, Large, Manifest

STAMP = "2026-11-01T12:00:00Z"
FIELDS: Manifest = {"f:metadata": {"f:labels": {f"f:label-{count}": {} for count in range(30)}}}
HISTORY = [{"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "time": STAMP, "fieldsType": "FieldsV1", "fieldsV1": FIELDS}]
STAYS = [
    {"key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for what in ("not-ready", "unreachable")
]
READY = {"type": "Ready", "status": "True", "lastTransitionTime": STAMP, "lastHeartbeatTime": STAMP}


class Seen(NamedTuple):
    """One request: what was asked, with which query, and how large the answer was (bytes)."""

    method: str
    path: str
    query: dict[str, str]
    size: int
    is_list: bool


class Served:
    """``answer`` is what a :class:`testing.platform.kube_api.KubeApi` asks; ``seen`` is what it was asked."""

    def __init__(self, large: Large) -> None:
        self.seen: list[Seen] = []
        self._nodes = {one["metadata"]["name"]: _filled(one) for one in large.node_manifests()}
        self._pods = [_filled(one) for one in large.pod_manifests()]
        self._on, self._in = _grouped(self._pods, lambda pod: pod["spec"]["nodeName"]), _grouped(self._pods, _namespace)
        self._owners = {_path_of(one): _filled(one) for one in large.owner_manifests()}
        self._namespaces = {*large.namespaces(), SUITE}

    def answer(self, asked: Asked) -> Answer | None:
        """Answer, and note what was asked; None: as an empty cluster does."""
        parts = urlsplit(asked.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        metadata_only = any("PartialObjectMetadata" in value for value in asked.values("Accept"))
        items = self._listed(parts.path, query) if asked.method == "GET" else None
        said = self._said(asked, parts.path) if items is None else _page(items, query, metadata_only=metadata_only)
        body = orjson.dumps(said.body)
        self.seen.append(Seen(asked.method, parts.path, query, len(body), items is not None))
        return Answer(said.status, body)

    def _listed(self, path: str, query: Mapping[str, str]) -> list[Manifest] | None:
        """Return what a list finds; None: the path is no list."""
        fields = dict(part.split("=", 1) for part in query.get("fieldSelector", "").replace("!=", "!").split(",") if "=" in part)
        match path.strip("/").split("/"):
            case ["api", "v1", "nodes"]:
                named = self._nodes.get(fields["metadata.name"]) if "metadata.name" in fields else None
                found: Iterable[Manifest] = self._nodes.values() if "metadata.name" not in fields else [named] if named else []
                if fields.get("spec.unschedulable") == "true":
                    found = []
            case ["api", "v1", "pods"]:
                found = self._on[fields["spec.nodeName"]] if "spec.nodeName" in fields else self._pods
            case ["api", "v1", "namespaces", namespace, "pods"]:
                found = [one for one in self._in[namespace] if fields.get("metadata.name") in {None, one["metadata"]["name"]}]
            case [*_, "namespaces", _, _] | [*_, "clusterroles" | "clusterrolebindings"]:
                found = []
            case _:
                return None
        return [one for one in found if selects(query.get("labelSelector", ""), one["metadata"].get("labels", {}))]

    def _said(self, asked: Asked, path: str) -> Answer:
        """Answer about one object; whatever is made is made."""
        name = path.rpartition("/")[2]
        if asked.method == "POST":
            review = {"spec": {}, "status": {"allowed": True}}
            return Answer(201, review if name == "selfsubjectaccessreviews" else {"kind": "Pod", "metadata": {"name": "asked"}})
        if path.rstrip("/") == "/version":
            words = ("major", "minor", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform")
            return Answer(200, dict.fromkeys(words, "1") | {"gitVersion": "v1.36.3"})
        if path.startswith("/api/v1/namespaces/") and name in self._namespaces and path.count("/") == 4:
            return Answer(200, {"kind": "Namespace", "metadata": {"name": name, "labels": CONSENT}})
        found = self._owners.get(path) or next((one for one in self._pods if _path_of(one) == path), None)
        return Answer(200, found) if found else failure(404, f"{path} not found")


def _page(items: list[Manifest], query: Mapping[str, str], *, metadata_only: bool) -> Answer:
    begin = int(query.get("continue", 0))
    end = begin + int(query.get("limit", len(items) or 1))
    shown = [{"metadata": one["metadata"]} for one in items[begin:end]] if metadata_only else items[begin:end]
    further = {"continue": str(end)} if end < len(items) else {}
    return Answer(200, {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "7", **further}, "items": shown})


def _filled(manifest: Manifest) -> Manifest:
    """Return an object as a server has it: with uid, history, and the status that its kubelet or controller writes."""
    meta = {"uid": f"uid-{manifest['metadata']['name']}", "creationTimestamp": STAMP, "resourceVersion": "1", "generation": 1}
    made = {**manifest, "metadata": {**meta, "managedFields": HISTORY, **manifest["metadata"]}}
    if manifest["kind"] == "Node":
        made["status"] = {**manifest["status"], "conditions": [READY]}
    if manifest["kind"] == "Pod":
        running = {"running": {"startedAt": STAMP}}
        status = {"name": "server", "image": "i", "imageID": "i", "ready": True, "restartCount": 0, "state": running}
        made["spec"] = {**manifest["spec"], "tolerations": STAYS}  # as admission writes them
        made["status"] = {"phase": "Running", "conditions": [READY, {**READY, "type": "PodScheduled"}], "containerStatuses": [status]}
    return made


def _path_of(manifest: Manifest) -> str:
    meta, kind = manifest["metadata"], manifest["kind"]
    group = "api/v1" if kind == "Pod" else "apis/apps/v1"
    return f"/{group}/namespaces/{meta['namespace']}/{kind.lower()}s/{meta['name']}"


def _namespace(manifest: Manifest) -> str:
    return str(manifest["metadata"]["namespace"])


def _grouped(items: Iterable[Manifest], key: Any) -> dict[str, list[Manifest]]:
    found: dict[str, list[Manifest]] = defaultdict(list)
    for one in items:
        found[key(one)].append(one)
    return found
