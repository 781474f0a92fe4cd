"""The cluster's programs, built from Go modules and kept in a cache that is named by what they were built from.

A fresh clone with the same sources finds them there and builds nothing.
"""

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cluster.config import KUBERNETES_VERSION
from cluster.errors import ClusterError
from cluster.host.commands import run

GO_FOLDER = Path(__file__).parent / "go"
OLDEST_GO = (1, 26)
_KUBE_NAMES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Module:
    """A Go module below cluster/go and what it builds: one program of that name, or, without a name, its declared tools."""

    name: str
    program: str | None
    about: str  # what it is and how long its first build takes on two cores
    ldflags: str = "-s -w"
    links: tuple[str, ...] = ()
    cgo: bool = field(default=False, repr=False)  # it holds C, so its programs need the C library of the machine


MODULES = (
    Module("node", "aftershock-node", "the nodes' init and container runtime, seconds", links=("aftershock-runc",)),
    Module("gpu", "gpu-plugin", "the GPU device plugin, half a minute"),
    Module("disk", "aftershock-disk", "the disks that are full, fail or are slow, half a minute"),
    Module("etcd", "etcd", "etcd, half a minute"),
    Module("runtime", None, "containerd and the CNI plugins, a minute and a half"),
    Module("dns", "coredns", "CoreDNS, a minute"),
    Module("s3", None, "versitygw, the platform's S3 server, a minute"),
    Module(
        "kube",
        "kube",
        "Kubernetes, about five minutes",
        ldflags=f"-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}",
        links=_KUBE_NAMES,
    ),
)

BESIDE = (Module("kwok", None, "kwok, which stands in for kubelets, two minutes"),)
"""What no cluster here has, but a bench needs; each is one tool that is called as its module is."""


def cache_folder() -> Path:
    """Return where built programs are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aftershock"


def go_version() -> tuple[str, str]:
    """Return the path and the version line of Go; raise ClusterError if it is missing or too old."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise ClusterError(f"Go is missing: install Go {OLDEST_GO[0]}.{OLDEST_GO[1]} or newer and put it on PATH.")
    version = run(go, "env", "GOVERSION").strip()
    numbers = tuple(int(n) for n in version.removeprefix("go").split(".")[:2])
    if numbers < OLDEST_GO:
        raise ClusterError(f"Go at {go} is {version}: install Go {OLDEST_GO[0]}.{OLDEST_GO[1]} or newer and put it first on PATH.")
    return go, version


def _sources(module: Module) -> Iterator[Path]:
    folder = GO_FOLDER / module.name
    yield from sorted(p for p in folder.rglob("*") if p.suffix == ".go" or p.name in ("go.mod", "go.sum"))


def module_digest(module: Module, version: str) -> str:
    """Return what the module's programs depend on, as 16 hexadecimal digits."""
    digest = hashlib.sha256(f"{version} {module}".encode())
    for path in _sources(module):
        digest.update(f"\0{path.relative_to(GO_FOLDER)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def binaries(say: Say, modules: Sequence[Module] = ()) -> Path:
    """Return the folder with all programs of a cluster, building what the cache lacks; raise ClusterError where that fails.

    ``modules``: what it has besides those that each has.
    """
    go, version = go_version()
    digests = {module: module_digest(module, version) for module in (*MODULES, *modules)}
    whole = hashlib.sha256("".join(digests.values()).encode()).hexdigest()[:16]
    folder = cache_folder() / "bin" / whole
    if folder.is_dir():
        return folder
    built = {module: _module(go, module, digest, say) for module, digest in digests.items()}
    return _assemble(folder, built)


def program(name: str, say: Say, architecture: str = "") -> Path:
    """Return one program, called by its name or as MODULE/NAME, building its module alone if the cache lacks it.

    ``architecture``: as Go calls it; empty: this machine's. Raise ClusterError where that fails.
    """
    go, version = go_version()
    named, _, file = name.rpartition("/")
    module = next(one for one in (*MODULES, *BESIDE) if (named or name) in {one.program, one.name})
    return _module(go, module, module_digest(module, version), say, architecture) / file


def upstream(module: str, path: str) -> Path:
    """Return the folder of the Go module ``path`` that cluster/go/``module`` builds, fetching it if it is not there."""
    go, _ = go_version()
    run(go, "-C", str(GO_FOLDER / module), "mod", "download", path)
    return Path(run(go, "-C", str(GO_FOLDER / module), "list", "-m", "-f", "{{.Dir}}", path).strip())


def _module(go: str, module: Module, digest: str, say: Say, architecture: str = "") -> Path:
    folder = cache_folder() / "modules" / (f"{module.name}-{digest}" + (f"-{architecture}" if architecture else ""))
    if folder.is_dir():
        return folder
    say(f"building {module.about} (cached afterwards in {folder})")
    start = time.monotonic()
    unfinished = folder.with_name(folder.name + f".{os.getpid()}")
    unfinished.mkdir(parents=True)
    try:
        _go_build(go, module, unfinished, {"GOARCH": architecture} if architecture else {})
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    say(f"built {module.name} in {time.monotonic() - start:.0f} s")
    return folder


def _go_build(go: str, module: Module, folder: Path, environment: dict[str, str]) -> None:
    target, package = (str(folder / module.program), ".") if module.program else (f"{folder}/", "tool")
    argv = [go, "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", module.ldflags, "-o", target, package]
    done = subprocess.run(
        argv,
        cwd=GO_FOLDER / module.name,
        # static programs, where they can be: they run in containers and need no C compiler to build
        env={**os.environ, "CGO_ENABLED": str(int(module.cgo)), **environment},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        words = " | ".join(line for line in done.stderr.splitlines() if not line.startswith("go: downloading"))
        raise ClusterError(f"the Go module cluster/go/{module.name} did not build: {words[-1500:]}")


def _assemble(folder: Path, built: dict[Module, Path]) -> Path:
    unfinished = folder.with_name(folder.name + f".{os.getpid()}")
    unfinished.mkdir(parents=True)
    for module, source in built.items():
        for program in source.iterdir():
            os.link(program, unfinished / program.name)
        for name in module.links:
            (unfinished / name).symlink_to(str(module.program))
    try:
        unfinished.rename(folder)
    except OSError:  # another process was faster; its folder holds the same programs
        shutil.rmtree(unfinished)
    return folder
