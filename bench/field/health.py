"""Health as the kubelet asks it, through what works; and what a fault needs of a node, found and shown before the run."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

from bench.field.cases import Seen, case
from faults.mechanisms import node_probe
from faults.mechanisms.node_probe import probe_nodes
from faults.node_agent.node import kubelets
from history.errors import TargetRefused
from testing.platform.certificates import self_signed
from testing.platform.fault_pods import Pulling, WithPods
from testing.platform.other_kubelet import other_kubelet
from testing.platform.pod_ways import app, cluster_of, serving
from testing.platform.probed_pods import http_get, probed_pod, ready_through

PART = "health"
NO_ROUTE, FORBIDDEN = "no route", "forbidden"
WELL, SICK = app(lambda _path, _headers: 200), app(lambda _path, _headers: 503)
GUARDED = app(lambda _path, headers: 200 if headers.get("x-probe") == "yes" else 403)


def reached(given: str, through: str, **fails: str) -> None:
    """Register a cluster some of whose ways fail: a pod that is well is ready, asked through what works."""

    @case(PART, given, f"ready, asked through {through}, and said")
    def run() -> Seen:
        with serving(WELL) as port, cluster_of(**fails) as (_, platform):
            count, said = ready_through(platform, probed_pod(http_get(port)))
        return Seen(f"{count} of 1 ready; {said}", count == 1 and said == f"HTTP through {through}")


reached("pods/proxy answers 503 `dial tcp …: i/o timeout`", "pods/portforward", proxy=NO_ROUTE)
reached("pods/proxy hangs", "pods/portforward", proxy="hangs")
reached("pods/proxy answers 503, port-forward is not granted", "pods/exec", proxy=NO_ROUTE, portforward=FORBIDDEN)


@case(PART, "pods/proxy answers 503, nothing else is granted", "said and gone on: Ready by its condition")
def out_of_reach() -> Seen:
    """Ask a pod that nobody can reach: its kubelet's word counts."""
    with serving(WELL) as port, cluster_of(proxy=NO_ROUTE, portforward=FORBIDDEN, exec=FORBIDDEN) as (_, platform):
        count, said = ready_through(platform, probed_pod(http_get(port)))
    return Seen(f"{count} of 1 ready; {said}", count == 1 and said.startswith("by its condition: pods/proxy: "))


@case(PART, "readiness probe with scheme HTTPS; with httpHeaders", "asked as the kubelet does: ready")
def https_and_headers() -> Seen:
    """Ask a server whose certificate nobody knows, and one that wants a header of its probe, through two ways."""
    seen = []
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = self_signed(Path(folder), "app")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        for proxy in ("", NO_ROUTE):
            with serving(WELL, context) as secure, serving(GUARDED) as guarded, cluster_of(proxy=proxy) as (_, platform):
                asked = probed_pod(http_get(secure, scheme="HTTPS"), http_get(guarded, headers={"X-Probe": "yes"}))
                seen.append(ready_through(platform, asked))
    return Seen("; ".join(f"{count} of 1 ready, {said}" for count, said in seen), [count for count, _ in seen] == [1, 1])


@case(PART, "istio-proxy is the first container, the app answers 503", "every probed container is asked: not ready")
def sidecar_first() -> Seen:
    """Ask a pod whose sidecar is well and whose app is not, beside one that is well."""
    with serving(WELL) as well, serving(SICK) as sick, cluster_of() as (_, platform):
        hidden = probed_pod(http_get(well, "/healthz/ready"), http_get(sick))
        count, said = ready_through(platform, hidden, probed_pod(http_get(well), name="gateway-b"))
    return Seen(f"{count} of 2 ready; {said}", count == 1)


@case(PART, "fault pod on a node whose kubelet runs inside another executable (k3s)", "found by who serves its port")
def kubelet_of_another_name() -> Seen:
    """Look for the kubelet of a node on which a program called k3s serves its port."""
    with other_kubelet("k3s") as (pid, port):
        found = kubelets(port)
    return Seen(f"{len(found)} found, {'the one' if found == [pid] else 'another than the one'} that serves it", found == [pid])


@case(
    PART,
    "suite image of several GB, pulled while the fault's 45 s run",
    "pulled in preflight; an image that is not to be had is refused there",
)
def image_pulled_before() -> Seen:
    """Probe a node that pulls for a while, and one that cannot."""
    able = {"armed": "nothing", "acts_in_s": 1.5}
    took_s = probe_nodes(Pulling(3, able).platform(), "run-1", ["gpu-a"], pause=lambda _: None)
    try:
        probe_nodes(WithPods(phase="Pending", reason="ImagePullBackOff").platform(), "run-1", ["gpu-a"])
        said = "not refused"
    except TargetRefused as error:
        said = str(error)
    return Seen(f"it waits at most {node_probe.PULL_S:g} s; then: {said}", set(took_s) == {"gpu-a"} and "ImagePullBackOff" in said)
