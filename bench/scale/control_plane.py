"""A control plane alone, on loopback: etcd and kube-apiserver as the embedded cluster builds and configures them, and kwok for kubelets."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.scale.api import Api
from bench.scale.processes import Running, running
from cluster import build, pki
from cluster.config import ClusterConfig, default_config
from cluster.machines import control_plane as parts
from testing.platform.kube_api import CONTEXT

Say = Callable[[str], None]
KWOK = "sigs.k8s.io/kwok"
STAGES = ("node/fast/node-initialize", "node/heartbeat-with-lease/node-heartbeat-with-lease", "pod/fast/pod-ready", "pod/fast/pod-delete")
LEASE_S = 200  # a lease of 40 s would be renewed every 10 s: 500 writes/s at 5,000 nodes
READY_S = 180.0
NODE_ADDRESS = "192.0.2.1"  # of all nodes; nobody listens there (RFC 5737)


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """One that answers. ``kubeconfig`` is its administrator's, whose context is that of :mod:`testing.platform.kube_api`."""

    url: str
    kubeconfig: Path
    api: Api
    programs: tuple[Running, ...]

    def check(self) -> None:
        """Raise SystemExit if one of its programs has ended."""
        for one in self.programs:
            one.check()


@contextmanager
def control_plane(folder: Path, say: Say) -> Iterator[ControlPlane]:
    """Bring one up in ``folder``, which is empty, on free ports; it is gone when the block ends. Raises SystemExit, ClusterError."""
    kube, etcd, kwok = (build.program(name, say) for name in ("kube", "etcd", "kwok"))
    stages = build.upstream("kwok", KWOK) / "kustomize" / "stage"
    config, keys = default_config("scale", 9, 1), folder / "pki"
    pki.create_in(keys, config)
    port, clients, peers = free_ports(3)
    url, kubeconfig = f"https://127.0.0.1:{port}", folder / "kubeconfig"
    kubeconfig.write_text(_kubeconfig(config, keys, url))
    etcd_url = f"http://127.0.0.1:{clients}"
    with ExitStack() as stack:
        store = stack.enter_context(running("etcd", [str(etcd), *_etcd(folder, etcd_url, peers)], folder))
        server = stack.enter_context(
            running("kube-apiserver", [str(kube), "kube-apiserver", *_server(config, keys, etcd_url, port)], folder)
        )
        api = Api(port, keys)
        _await(api.ready, "the API server", (store, server))
        kubelets = stack.enter_context(running("kwok", [str(kwok), *_kwok(kubeconfig, stages)], folder))
        yield ControlPlane(url, kubeconfig, api, (store, server, kubelets))


def _etcd(folder: Path, url: str, peers: int) -> list[str]:
    mine = f"http://127.0.0.1:{peers}"
    own = [f"--listen-peer-urls={mine}", f"--initial-advertise-peer-urls={mine}", f"--initial-cluster=default={mine}"]
    return [*parts.etcd(str(folder / "etcd"), url), *own, "--log-level=warn"]


def _server(config: ClusterConfig, keys: Path, etcd_url: str, port: int) -> list[str]:
    """Return the embedded cluster's own settings, on loopback; no Service leads to this server, so nobody keeps its endpoints."""
    return [
        *parts.api_server(config, str(keys), etcd_url),
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        "--endpoint-reconciler-type=none",
    ]


def _kwok(kubeconfig: Path, stages: Path) -> list[str]:
    told = [f"--kubeconfig={kubeconfig}", "--manage-all-nodes", f"--node-lease-duration-seconds={LEASE_S}", f"--node-ip={NODE_ADDRESS}"]
    return [*told, *(f"--config={stages / name}.yaml" for name in STAGES)]


def _kubeconfig(config: ClusterConfig, keys: Path, url: str) -> str:
    made = json.loads(pki.kubeconfig(config, keys, pki.ADMIN))
    made["clusters"][0]["cluster"]["server"] = url
    made["contexts"][0]["name"] = made["current-context"] = CONTEXT
    return json.dumps(made)


def _await(there: Callable[[], bool], what: str, programs: tuple[Running, ...], within_s: float = READY_S) -> None:
    until_s = time.monotonic() + within_s
    while not there():
        for one in programs:
            one.check()
        if time.monotonic() > until_s:
            raise SystemExit(f"{what} is not ready after {within_s:g} s; see {programs[-1].log}")
        time.sleep(0.2)


def free_ports(count: int) -> list[int]:
    """Return ports of loopback on which nobody listens now."""
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in found]
