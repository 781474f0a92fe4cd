"""An S3 server that keeps versions, with training data and their sealed record in it."""

from __future__ import annotations

import secrets
from typing import Any

from bench.campaigns.alone.platform import PODS, user
from bench.campaigns.kill import platform as small
from kube.client import Platform, unless
from kube.container_exec import output_of
from kube.selection import ready_pods
from target.suite_image import PROJECT

S3, SECRET, PORT, IMAGE = "s3", "s3", 7070, "aftershock/platform:dev"
KEYS = {"ROOT_ACCESS_KEY_ID": "AWS_ACCESS_KEY_ID", "ROOT_SECRET_ACCESS_KEY": "AWS_SECRET_ACCESS_KEY"}
"""The server's variables, and the Secret's keys, which are a client's variables."""
WHERE = "posix --versioning-dir /data/versions /data/objects"
SERVES = f"mkdir -p /data/objects /data/versions; exec versitygw --port :{PORT} --health /health --quiet {WHERE}"
FILLS = f"""
from workloads.storage.bucket import create
from workloads.storage.sealed import digest, seal
from workloads.storage.store import open_store

url = "s3://training/data?endpoint=http://127.0.0.1:{PORT}"
create(url, 60)
store, data = open_store(url), bytes(range(256)) * 256
store.put("samples", data)
store.put("dataset.json", seal("training-data", 1, {{"files": {{"samples": {{"sha256": digest(data), "bytes": len(data)}}}}}}))
"""
FILLS_S = 60.0
DATA = {"folder": "training/data", "record": "dataset.json"}


def role() -> dict[str, Any]:
    """Return the server's role of the target file."""
    store = {
        "buckets": "/data/objects",
        "kept": "/data/originals",
        "training_data": DATA,
        "model": DATA,  # whatever a record lists
        "s3": {"port": PORT, "secret": SECRET},
    }
    controlled = {"controller": {"name": S3}, "health": {"port": PORT, "path": "/health"}}
    return {"namespace": PODS.namespace, "container": "server", "selector": f"app={S3}", "object_store": store} | controlled


def secret() -> dict[str, Any]:
    """Return the server's Secret, of which nobody knows the content."""
    return {"metadata": {"name": SECRET}, "stringData": {key: secrets.token_hex(16) for key in KEYS.values()}}


def deployment() -> dict[str, Any]:
    """Return the server as a manifest; its environment has a client's variables, too, for who fills it."""
    made = small.deployment(PODS, IMAGE, S3, 1, {})
    template = made["spec"]["template"]["spec"]
    (server,) = template["containers"]
    names = [*KEYS.items(), *((key, key) for key in KEYS.values())]
    server |= {
        "command": ["/bin/sh", "-c", SERVES],
        "workingDir": PROJECT,
        "env": [{"name": name, "valueFrom": {"secretKeyRef": {"name": SECRET, "key": key}}} for name, key in names],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": PORT}, "periodSeconds": 1, "timeoutSeconds": 5},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    template |= {"volumes": [{"name": "data", "emptyDir": {}}], "securityContext": user(), "shareProcessNamespace": True}
    return made


def add(platform: Platform) -> None:
    """Make the server, as far as it is not there."""
    body: Any = secret()
    made: Any = deployment()
    with unless(409):
        platform.core.create_namespaced_secret(PODS.namespace, body)
    with unless(409):
        platform.apps.create_namespaced_deployment(PODS.namespace, made)


def fill(platform: Platform, slower_by: float) -> None:
    """Store the data, from within its pod. Raises NoData: they could not be stored."""
    (pod,) = ready_pods(platform, S3)
    output_of(platform, pod.metadata.name, PODS.namespace, "server", ["python3", "-c", FILLS], limit_s=FILLS_S * slower_by)
