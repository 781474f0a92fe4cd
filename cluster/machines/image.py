"""The one container image of the cluster, and what every container sees of the machine.

The image holds empty folders, links and the sandbox program (1–3 MB); programs come from the machine through read-only
binds, at the same places where the project's Dockerfile puts them for a cluster that pulls images.
"""

import hashlib
import io
import json
import os
import platform
import resource
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.config import IMAGE
from cluster.host.commands import run

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = "/opt/aftershock"  # the repository, inside nodes and containers
PROGRAMS = "/opt/cluster/bin"  # the cluster's own programs, likewise
SANDBOX_IMAGE = "docker.io/aftershock/pause:1"
PATH = f"{PROJECT}/.venv/bin:{PROGRAMS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LINKS = {"/bin": "usr/bin", "/sbin": "usr/sbin", "/lib": "usr/lib", "/lib64": "usr/lib64"}
_FOLDERS = ("usr", "proc", "sys", "dev", "etc", "tmp", "run", "var/log", "var/lib", "var/tmp", "root", "home", "opt", "app", "mnt")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_TIME = 1_700_000_000
USERS = """root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
app:x:1000:1000:app:/app:/bin/sh
"""
GROUPS = """root:x:0:
nogroup:x:65534:
app:x:1000:
"""
_ETC = {"passwd": USERS, "group": GROUPS, "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n"}


@dataclass(frozen=True, slots=True)
class Share:
    """A file or folder of the host and where nodes and containers see it, read-only."""

    source: str
    target: str


def shares(programs: Path) -> list[Share]:
    """Return what every node and container sees of the host."""
    found = [Share("/usr", "/usr"), Share(str(programs), PROGRAMS), Share(str(REPOSITORY), PROJECT)]
    # an interpreter outside /usr must be where the environment's `python` link points to
    prefix = python_prefix()
    if not prefix.startswith("/usr/") and prefix != "/usr":
        found.append(Share(prefix, prefix))
    # Debian's names for programs and the authorities' certificates are links and files below /etc
    found += [Share(p, p) for p in ("/etc/alternatives", "/etc/ssl/certs", "/etc/ld.so.cache") if Path(p).exists()]
    return found


def python_prefix() -> str:
    """Return the prefix of the interpreter that the project's environment links to, else of the running one."""
    python = REPOSITORY / ".venv" / "bin" / "python"
    return str(python.resolve().parent.parent) if python.exists() else sys.base_prefix


def write_images(programs: Path, target: Path) -> None:
    """Write the platform's image and the sandbox's, which differ in name only, as one archive that containerd imports."""
    layer = _layer(programs / "aftershock-node")
    manifest = []
    with tarfile.open(target, "w") as archive:
        _add(archive, tarfile.TarInfo("layer.tar"), layer)
        for name in (IMAGE, SANDBOX_IMAGE):
            config = _image_config(name, layer)
            file = hashlib.sha256(config).hexdigest() + ".json"
            _add(archive, tarfile.TarInfo(file), config)
            manifest.append({"Config": file, "RepoTags": [name], "Layers": ["layer.tar"]})
        _add(archive, tarfile.TarInfo("manifest.json"), json.dumps(manifest).encode())


def _image_config(name: str, layer: bytes) -> bytes:
    config = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        # the label makes two images of one content, so that a pod's status shows the name that its manifest gives
        "config": {"Entrypoint": ["/pause"], "Env": [f"PATH={PATH}", "PYTHONUNBUFFERED=1"], "Labels": {"name": name}},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }
    return json.dumps(config).encode()


def _layer(pause: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in _FOLDERS:
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if folder in ("tmp", "var/tmp") else 0o755
            _add(archive, info)
        for name, to in LINKS.items():
            info = tarfile.TarInfo(name.lstrip("/"))
            info.type, info.linkname = tarfile.SYMTYPE, to
            _add(archive, info)
        for name, text in _ETC.items():
            _add(archive, tarfile.TarInfo(f"etc/{name}"), text.encode())
        info = tarfile.TarInfo("pause")
        info.mode = 0o755
        _add(archive, info, pause.read_bytes())
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, info: tarfile.TarInfo, content: bytes = b"") -> None:
    info.size, info.mtime = len(content), _TIME
    archive.addfile(info, io.BytesIO(content))


def base_runtime_spec(programs: Path) -> str:
    """Return containerd's base specification of a container: its default, the shares, and limits that this machine can grant."""
    spec: dict[str, Any] = json.loads(run(str(programs / "ctr"), "oci", "spec"))
    # a limit above the hard limit of who starts containers ends every container at once, without a log
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536
    spec["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "hard": files, "soft": files}]
    # sources are paths of the node, which has the same tree at the same places
    spec["mounts"] += [{"destination": s.target, "type": "bind", "source": s.target, "options": ["rbind", "ro"]} for s in shares(programs)]
    return json.dumps(spec)


def may_lower_oom_score() -> bool:
    """Whether this process may lower OOM scores (CAP_SYS_RESOURCE); without it containerd must be told not to try."""
    status = Path(f"/proc/{os.getpid()}/status").read_text()
    effective = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), 16)
    return bool(effective >> 24 & 1)
