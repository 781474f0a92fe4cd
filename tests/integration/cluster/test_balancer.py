"""The cloud load balancer in front of the nodes."""

from __future__ import annotations

import json
import select
import socket

import requests

from testing.platform.cluster_driver import Cluster
from testing.waiting import wait_for

NAMESPACE = "behind-balancer"
SERVE = "mkdir /tmp/w && hostname > /tmp/w/index.html && touch /tmp/w/gateway-health && exec python -m http.server 8000 -d /tmp/w"
MANIFESTS = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
    {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "image": "aftershock/cluster:dev",
                            "command": ["sh", "-c", SERVE],
                            "readinessProbe": {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1},
                        }
                    ]
                },
            },
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": {
            "type": "NodePort",
            "externalTrafficPolicy": "Local",
            "selector": {"app": "web"},
            "ports": [{"port": 80, "targetPort": 8000, "nodePort": 30080}],
        },
    },
]


NOBODY_PORT = 30081
NOBODY = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "nobody", "namespace": "default"},
    "spec": {"type": "NodePort", "ports": [{"port": 80, "targetPort": 8000, "nodePort": NOBODY_PORT}]},
}


def waits(address: str, port: int) -> bool:
    """Return whether a connection to the port is neither made nor refused, nor in error, within a second."""
    with socket.socket() as attempt:
        attempt.setblocking(False)
        attempt.connect_ex((address, port))
        poll = select.poll()
        poll.register(attempt, select.POLLIN | select.POLLOUT)
        return not poll.poll(1000)


def test_a_service_without_endpoints_does_not_make_the_balancer_spin(probe: Cluster) -> None:
    node = probe.node("cpu-a")["address"]
    probe.kubectl("apply", "-f", "-", stdin=json.dumps(NOBODY))
    # before kube-proxy knows the Service, the kernel refuses at once; after that, an error that never ends kept HAProxy busy
    wait_for(lambda: waits(node, NOBODY_PORT), "a connection that waits quietly", 90)
    probe.kubectl("delete", "service", "nobody")


def fetch(url: str) -> str | None:
    """Return the answer; None where a user saw an error: the balancer's own, or a connection that it cut."""
    try:
        response = requests.get(url, timeout=60)
    except requests.ConnectionError:
        return None
    assert response.status_code in {200, 502, 503, 504}
    return response.text.strip() if response.ok else None


def test_requests_reach_every_node_and_no_longer_one_without_power(probe: Cluster) -> None:
    url = probe.status()["balancer"]["inference"] + "/"
    assert fetch(url) is None, "nothing listens behind the balancer yet"
    probe.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": MANIFESTS}))
    probe.kubectl("-n", NAMESPACE, "rollout", "status", "daemonset/web", "--timeout=240s")
    seen: set[str | None] = set()

    def both() -> bool:
        seen.add(fetch(url))
        return len(seen - {None}) == 2

    wait_for(both, "answers of both nodes' pods", 90)
    probe.run("power-off", "gpu-a", "--for", "600s")
    # the balancer's checks take the node out: then every answer is the other node's
    wait_for(lambda: out_of_service(url), "answers of one node only", 90)
    probe.run("power-on", "gpu-a")
    probe.await_node("gpu-a", ready=True)
    seen.clear()
    wait_for(both, "answers of both nodes' pods again", 120)
    probe.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def out_of_service(url: str) -> str | None:
    answers = {fetch(url) for _ in range(30)}
    return answers.pop() if len(answers) == 1 else None
