"""The container images of the cluster, and the specification on which every container is based.

An image holds empty folders, links and the sandbox program (1–3 MB); its files come from the machine (:mod:`cluster.machines.image_files`).
Those that :mod:`cluster.images` builds are none of these where a cluster is started with them.
"""

import hashlib
import io
import json
import os
import platform
import resource
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster.host.commands import run
from cluster.machines.image_files import PATH, Image, mounts, path_of

SANDBOX_IMAGE = "docker.io/aftershock/pause:1"
LINKS = {"/bin": "usr/bin", "/sbin": "usr/sbin", "/lib": "usr/lib", "/lib64": "usr/lib64"}
FOLDERS = ("usr", "proc", "sys", "dev", "etc", "tmp", "run", "var/log", "var/lib", "var/tmp", "root", "home", "opt", "app", "mnt")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
TIME = 1_700_000_000  # Unix time in s of every file of an image: the same contents make the same image
USERS = """root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
app:x:1000:1000:app:/app:/bin/sh
"""
GROUPS = """root:x:0:
nogroup:x:65534:
app:x:1000:
"""
ETC = {"passwd": USERS, "group": GROUPS, "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n"}


def write_images(programs: Path, target: Path, images: Sequence[Image]) -> None:
    """Write images and the sandbox's, which differ in name and PATH only, as one archive that containerd imports."""
    layer = _layer(programs / "aftershock-node")
    manifest = []
    with tarfile.open(target, "w") as archive:
        _add(archive, tarfile.TarInfo("layer.tar"), layer)
        for name, path in {SANDBOX_IMAGE: PATH, **{f"docker.io/{image.name}": path_of(image) for image in images}}.items():
            config = _image_config(name, path, layer)
            file = hashlib.sha256(config).hexdigest() + ".json"
            _add(archive, tarfile.TarInfo(file), config)
            manifest.append({"Config": file, "RepoTags": [name], "Layers": ["layer.tar"]})
        _add(archive, tarfile.TarInfo("manifest.json"), json.dumps(manifest).encode())


def architecture() -> str:
    """Return this machine's architecture as images, Debian and Go call it."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def _image_config(name: str, path: str, layer: bytes) -> bytes:
    config = {
        "architecture": architecture(),
        "os": "linux",
        # the label makes several images of one content, so that a pod's status shows the name that its manifest gives
        "config": {"Entrypoint": ["/pause"], "Env": [f"PATH={path}", "PYTHONUNBUFFERED=1"], "Labels": {"name": name}},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }
    return json.dumps(config).encode()


def _layer(pause: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in FOLDERS:
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if folder in ("tmp", "var/tmp") else 0o755
            _add(archive, info)
        for name, to in LINKS.items():
            info = tarfile.TarInfo(name.lstrip("/"))
            info.type, info.linkname = tarfile.SYMTYPE, to
            _add(archive, info)
        for name, text in ETC.items():
            _add(archive, tarfile.TarInfo(f"etc/{name}"), text.encode())
        info = tarfile.TarInfo("pause")
        info.mode = 0o755
        _add(archive, info, pause.read_bytes())
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, info: tarfile.TarInfo, content: bytes = b"") -> None:
    info.size, info.mtime = len(content), TIME
    archive.addfile(info, io.BytesIO(content))


def base_runtime_spec(programs: Path) -> str:
    """Return containerd's base specification of a container: its default, and limits that this machine can grant."""
    spec: dict[str, Any] = json.loads(run(str(programs / "ctr"), "oci", "spec"))
    # a limit above the hard limit of who starts containers ends every container at once, without a log
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536
    spec["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "hard": files, "soft": files}]
    return json.dumps(spec)


def files_of_images(images: Sequence[Image]) -> str:
    """Return the mounts of each image by its name, as the container runtime reads them."""
    return json.dumps({image.name: mounts(image) for image in images}, indent=1)


def may_lower_oom_score() -> bool:
    """Whether this process may lower OOM scores (CAP_SYS_RESOURCE); without it containerd must be told not to try."""
    status = Path(f"/proc/{os.getpid()}/status").read_text()
    effective = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), 16)
    return bool(effective >> 24 & 1)
