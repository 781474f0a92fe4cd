"""The virtual machine's first file system: busybox, the kernel modules that lead to the machine's root, and ``init``, the script here."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from pathlib import Path

INIT = Path(__file__).with_name("init")
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
"""Those without which there is no root to load others from."""
FOLDERS = ("bin", "proc", "sys", "dev", "machine", "own", "root", "modules")


def build(file: Path, release: str) -> Path:
    """Write the initramfs for the kernel ``release``, and return it. Raises CalledProcessError, OSError."""
    tree = file.with_suffix(".tree")
    shutil.rmtree(tree, ignore_errors=True)
    for name in FOLDERS:
        (tree / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox") or "/bin/busybox", tree / "bin" / "busybox")
    shutil.copy(INIT, tree / "init")
    (tree / "init").chmod(0o755)
    for number, module in enumerate(modules(release)):
        shutil.copy(module, tree / "modules" / f"{number:02}-{module.name}")
    file.write_bytes(gzip.compress(_archive(tree), compresslevel=1))
    shutil.rmtree(tree)
    return file


def modules(release: str) -> list[Path]:
    """Return the files of the modules and of all that they need, each after what it needs. Raises CalledProcessError."""
    found: dict[Path, None] = {}
    for name in MODULES:
        command = ["/sbin/modprobe", "--set-version", release, "--show-depends", name]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found |= dict.fromkeys(Path(line.split()[1]) for line in said.splitlines() if line.startswith("insmod "))
    return list(found)


def _archive(tree: Path) -> bytes:
    names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    return subprocess.run(
        ["cpio", "--create", "--format=newc", "--quiet"], input=names.encode(), cwd=tree, capture_output=True, check=True
    ).stdout
