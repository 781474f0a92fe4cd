"""A store of containerd's with built images in it: imported once by containerd itself, then shared read-only by all nodes.

Every node has a containerd of its own with its own databases, as machines have whose images were pulled before they joined. The layers'
files are on this machine once: six copies of a platform of gigabytes would take its disk, and its memory for what is read from them.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cluster import build
from cluster.build import Say
from cluster.errors import ClusterError
from cluster.host.commands import succeeds
from cluster.host.wait import until_clear
from cluster.images import builds, oci
from cluster.images.builds import Built
from cluster.machines.image import architecture
from cluster.machines.image_files import BUILT
from cluster.machines.image_store import CONTENT, DATABASES, DISABLED, ROOT, SEED
from cluster.state import State, cluster_names

_START_S, _STOP_S = 30.0, 30.0


def prepared(say: Say) -> Path:
    """Return the folder of the store that holds all built images, making what is missing. Raise ClusterError where that fails."""
    made = [builds.built(image, architecture(), say) for image in BUILT]
    programs = build.binaries(say)
    named = "".join([*(one.digest for one in made), str(programs)])
    folder = builds.folder() / "stores" / hashlib.sha256(named.encode()).hexdigest()[:16]
    if not folder.is_dir():
        forget_unused(folder.parent)
        _make(folder, made, programs, say)
    return folder


def forget_unused(stores: Path) -> None:
    """Remove the stores that no cluster of this machine was started with: each takes gigabytes."""
    used = {State(name).load_config().images for name in cluster_names() if State(name).config_file.exists()}
    for one in sorted(stores.glob("*")):
        if str(one) not in used and "." not in one.name:  # another process makes one with a dot
            shutil.rmtree(one)


def _make(folder: Path, made: Sequence[Built], programs: Path, say: Say) -> None:
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
    unfinished.mkdir(parents=True)
    try:
        with _containerd(programs, unfinished / ROOT) as socket:
            for one in made:
                say(f"importing {one.image.name} into containerd's store ({folder})")
                _import(programs, socket, one)
        _keep_once(unfinished / ROOT / CONTENT, made)
        for name in DATABASES:
            (unfinished / SEED / name).parent.mkdir(parents=True)
            shutil.copy(unfinished / ROOT / name, unfinished / SEED / name)
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def _containerd(programs: Path, root: Path) -> Iterator[str]:
    """Run containerd on a store, in mounts of its own; yield its socket. Raise ClusterError: it does not answer."""
    with tempfile.TemporaryDirectory(prefix="aftershock-") as name:  # a socket's path must be short
        state, socket, log = Path(name), f"{name}/s", Path(name) / "log"
        disabled = ", ".join(f'"io.containerd.{one}"' for one in (*DISABLED, "grpc.v1.cri", "cri.v1.images", "cri.v1.runtime"))
        text = f'version = 3\nroot = "{root}"\nstate = "{state}/state"\ndisabled_plugins = [{disabled}]\n[grpc]\naddress = "{socket}"\n'
        (state / "config.toml").write_text(text)
        argv = ["unshare", "--mount", str(programs / "containerd"), "-c", str(state / "config.toml")]
        ask = [str(programs / "ctr"), "-a", socket, "version"]
        with log.open("wb") as out, subprocess.Popen(argv, stdout=out, stderr=out) as process:
            try:
                until_clear(lambda: not succeeds(*ask), lambda _: f"containerd does not answer: {log.read_text()[-500:]}", _START_S)
                yield socket
            finally:
                _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _import(programs: Path, socket: str, one: Built) -> None:
    argv = [str(programs / "ctr"), "-a", socket, "-n", "k8s.io", "images", "import", "--snapshotter", "overlayfs", "-"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        if process.stdin is None or process.stdout is None:
            raise ClusterError("ctr has no pipes")
        try:
            oci.archive(one.layout, process.stdin)
        except BrokenPipeError:
            pass  # it says why
        finally:
            process.stdin.close()
        said = process.stdout.read().decode(errors="replace")
    if process.returncode:
        raise ClusterError(f"containerd does not take {one.image.name}: {said.strip()[-500:]}")


def _keep_once(content: Path, made: Sequence[Built]) -> None:
    """Let the store's packed layers be the cache's own files: the same bytes need not be on the disk twice."""
    for one in made:
        for blob in (one.layout / "blobs" / "sha256").iterdir():
            kept = content / blob.name
            if kept.exists():
                kept.unlink()
                os.link(blob, kept)
