"""Debian packages that the cluster uses; each is named before it is installed, and none may start a service."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError
from cluster.host.commands import run


@dataclass(frozen=True, slots=True)
class Package:
    """A Debian package, the program that shows that it is there, what it is for, and the service it would start."""

    name: str
    program: str
    purpose: str
    service: str | None = None


PACKAGES = (
    Package("runc", "runc", "runs containers"),
    Package("haproxy", "haproxy", "the load balancer in front of the nodes, and the gateway in pods", service="haproxy"),
    Package("prometheus", "prometheus", "metrics, in pods", service="prometheus"),
    Package("prometheus-alertmanager", "prometheus-alertmanager", "tells alerts, in pods", service="prometheus-alertmanager"),
    Package("redis-server", "redis-server", "the queue of asynchronous inference, in pods", service="redis-server"),
    Package("rclone", "rclone", "replication between object stores"),
    Package("nftables", "nft", "network faults, in pods"),
    Package("iptables", "iptables", "kube-proxy's rules, inside nodes"),
    Package("conntrack", "conntrack", "kube-proxy's clean-up, inside nodes"),
    Package("xfsprogs", "mkfs.xfs", "the nodes' disks"),
    Package("iproute2", "ip", "the nodes' network"),
    Package("util-linux", "nsenter", "the nodes' namespaces"),
    Package("mount", "losetup", "the nodes' disks"),
    Package("procps", "sysctl", "the nodes' network settings"),
    Package("openssl", "openssl", "the cluster's certificates"),
)
_POLICY = Path("/usr/sbin/policy-rc.d")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def missing(wanted: Sequence[Package]) -> list[Package]:
    """Return the packages, of those `wanted`, whose programs this machine lacks."""
    return [p for p in wanted if shutil.which(p.program, path=_SYSTEM_PATH) is None]


def ensure(say: Callable[[str], None], wanted: Sequence[Package] | None = None) -> None:
    """Install what is missing of those `wanted`, else of the cluster's own; raise ClusterError where there is no apt-get or it fails."""
    lacking = missing(PACKAGES if wanted is None else wanted)
    if not lacking:
        return
    if shutil.which("apt-get") is None:
        programs = ", ".join(f"{p.program} ({p.purpose})" for p in lacking)
        raise ClusterError(f"this machine lacks {programs}: install them with its package manager, then try again.")
    for package in lacking:
        say(f"installing the Debian package {package.name}: {package.purpose}")
    with _no_service_starts():
        _apt("update", "-qq")
        _apt("install", "-y", "-qq", "--no-install-recommends", *(p.name for p in lacking))
    for service in (p.service for p in lacking if p.service):
        _disable(service)


def _apt(*arguments: str) -> None:
    done = subprocess.run(
        ["apt-get", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ClusterError(f"`apt-get {' '.join(arguments)}` failed: {done.stderr.strip()[-400:] or 'it said nothing'}")


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Deny every service start that packages ask for (Debian's policy-rc.d, exit code 101), and put back what was there."""
    kept = _POLICY.with_name("policy-rc.d.aftershock")
    if _POLICY.exists() and not kept.exists():
        _POLICY.rename(kept)
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()
        if kept.exists():
            kept.rename(_POLICY)


def _disable(service: str) -> None:
    """Keep a service that was just installed from starting at the machine's next boot (its links for SysV init and for systemd)."""
    run("update-rc.d", service, "disable")
