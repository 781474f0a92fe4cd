"""Filling a control plane: namespaces, nodes, controllers and pods, and waiting until kwok has made all of them run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from bench.scale.control_plane import ControlPlane
from testing.platform.large.manifests import CONSENT, SUITE, Large

NAMESPACED = "/namespaces/{namespace}/{plural}"
PODS, NODES, LEASES = "/api/v1/pods", "/api/v1/nodes", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
POLL_S = 1.0
A_POD_S = 0.2  # patience for each pod: on a busy machine


def fill(plane: ControlPlane, large: Large, say: Callable[[str], None]) -> None:
    """Make the platform and wait until every pod runs and every node has spoken. Raises SystemExit."""
    begun_s = time.monotonic()
    api, spaces = plane.api, [*large.namespaces(), SUITE]
    api.create("/api/v1/{plural}", [_named("Namespace", name, labels=CONSENT) for name in spaces])
    api.create(
        f"/api/v1{NAMESPACED}", [_named("ServiceAccount", "default", namespace=name) for name in spaces]
    )  # who admits pods asks for it
    api.create("/api/v1/{plural}", large.node_manifests())
    owners = list(large.owner_manifests())
    api.create(f"/apis/apps/v1{NAMESPACED}", owners)
    api.state(f"/apis/apps/v1{NAMESPACED}", owners)
    say(f"{large.nodes} nodes and {len(owners)} controllers are made after {time.monotonic() - begun_s:.0f} s")
    api.create(f"/api/v1{NAMESPACED}", large.pod_manifests())
    say(f"{large.pods} pods are made after {time.monotonic() - begun_s:.0f} s")
    _until_they_run(plane, large)
    say(f"all of them run after {time.monotonic() - begun_s:.0f} s")


def _named(kind: str, name: str, **meta: object) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **meta}}


def _until_they_run(plane: ControlPlane, large: Large) -> None:
    until_s = time.monotonic() + 60 + A_POD_S * large.pods
    while plane.api.there(PODS, fieldSelector="status.phase!=Running") or plane.api.count(LEASES) < large.nodes:
        plane.check()
        if time.monotonic() > until_s:
            raise SystemExit(f"kwok has not made all of {large.pods} pods on {large.nodes} nodes run in time; see {plane.programs[-1].log}")
        time.sleep(POLL_S)
