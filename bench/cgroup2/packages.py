"""What the virtual machine needs of Debian, installed as the embedded cluster's own packages are: each is named, none starts a service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cluster.errors import ClusterError
from cluster.host import packages
from cluster.host.packages import Package

BOOT = Path("/boot")
KERNEL = Package("linux-image-amd64", "vmlinuz", "the virtual machine's kernel")
PACKAGES = (
    Package("qemu-system-x86", "qemu-system-x86_64", "the virtual machine"),
    Package("busybox-static", "busybox", "its first process"),
    Package("cpio", "cpio", "its first file system"),
    Package("kmod", "modprobe", "its kernel's modules"),
)


def ensure(say: Callable[[str], None]) -> Path:
    """Install what is missing; return the newest kernel. Raises ClusterError: there is no apt-get, it fails, or it brings no kernel."""
    packages.ensure(say, PACKAGES if kernels() else (*PACKAGES, KERNEL))
    if not kernels():
        raise ClusterError(f"{BOOT} has no kernel with modules in /lib/modules: install one, Debian's package is {KERNEL.name}.")
    return kernels()[-1]


def kernels() -> list[Path]:
    """Return the kernels whose modules are there, the newest last."""
    found = [path for path in BOOT.glob("vmlinuz-*") if Path("/lib/modules", release_of(path), "kernel").is_dir()]
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)


def release_of(kernel: Path) -> str:
    """Return a kernel's release, as ``uname -r`` says it."""
    return kernel.name.removeprefix("vmlinuz-")
