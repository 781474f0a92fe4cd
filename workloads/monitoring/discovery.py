"""Tell Prometheus which pods there are: ``python -m workloads.monitoring.discovery --namespace NAMESPACE --out FILE``.

Debian builds Prometheus without Kubernetes discovery, so this watches the pods of one namespace and writes them as file_sd targets. The
labels are those of kubernetes_sd_configs with ``role: pod``, as far as prometheus.yml uses them. With another build of Prometheus one line
of that file changes, and this process is not needed.
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import urllib3
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException

RETRY_S = 1.0
WATCH_S = 300  # then the server ends the watch and a new one begins with a full list: a missed event does not last
log = logging.getLogger("discovery")

Object = Any  # of the API: every field of the client's types is optional, also those that the API always fills in


class Entry(TypedDict):
    """What file_sd reads: addresses, and the labels that they all have."""

    targets: list[str]
    labels: dict[str, str]


def targets(pods: list[Object]) -> list[Entry]:
    """Return the file_sd entries: one for each named port of each pod that has an address."""
    return [_target(pod, port) for pod in sorted(pods, key=lambda p: str(p.metadata.name)) if pod.status.pod_ip for port in _ports(pod)]


def _ports(pod: Object) -> Iterator[Object]:
    for container in pod.spec.containers:
        yield from (port for port in container.ports or [] if port.name)


def _target(pod: Object, port: Object) -> Entry:
    prefix = "__meta_kubernetes_pod_"
    labels = {
        "__meta_kubernetes_namespace": pod.metadata.namespace,
        f"{prefix}name": pod.metadata.name,
        f"{prefix}node_name": pod.spec.node_name or "",
        f"{prefix}phase": pod.status.phase,
        f"{prefix}container_port_name": port.name,
    }
    labels |= {f"{prefix}label_{name.translate(_UNDERSCORES)}": value for name, value in (pod.metadata.labels or {}).items()}
    return {"targets": [f"{pod.status.pod_ip}:{port.container_port}"], "labels": labels}


_UNDERSCORES = str.maketrans("./-", "___")


def snapshots(api: client.CoreV1Api, namespace: str) -> Iterator[list[Object]]:
    """Yield the namespace's pods, now and after each change, until the watch ends; raises what the API raises."""
    listed: Object = api.list_namespaced_pod(namespace)
    pods = {pod.metadata.uid: pod for pod in listed.items}
    yield list(pods.values())
    since = listed.metadata.resource_version
    events: Iterator[dict[str, Object]] = watch.Watch().stream(  # type: ignore[no-untyped-call]
        api.list_namespaced_pod, namespace, resource_version=since, timeout_seconds=WATCH_S, _request_timeout=(5, WATCH_S + 10)
    )
    for event in events:
        pod = event["object"]
        if event["type"] == "DELETED":
            pods.pop(pod.metadata.uid, None)
        else:
            pods[pod.metadata.uid] = pod
        yield list(pods.values())


def write(path: Path, entries: list[Entry]) -> None:
    """Replace the file in one step: Prometheus reads it whenever it changes."""
    whole = path.with_suffix(".new")
    whole.write_text(json.dumps(entries, indent=1))
    whole.replace(path)


def follow(api: client.CoreV1Api, namespace: str, path: Path) -> None:
    """Keep the file current for ever. While the API does not answer, the targets known so far stay."""
    written: list[Entry] | None = None
    while True:
        try:
            for pods in snapshots(api, namespace):
                if (entries := targets(pods)) != written:
                    write(path, entries)
                    written = entries
        except (ApiException, urllib3.exceptions.HTTPError) as error:
            log.warning("pods of %s can't be watched, trying again in %.0f s: %s", namespace, RETRY_S, str(error).splitlines()[0])
            time.sleep(RETRY_S)


def main() -> None:
    """Watch with the service account of the pod."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    config.load_incluster_config()  # type: ignore[no-untyped-call]
    follow(client.CoreV1Api(), options.namespace, options.out)


if __name__ == "__main__":
    main()
