"""What containers see of this machine: the programs that all see, and what each image holds, at the places where its build file puts it.

Images hold no files here (:mod:`cluster.machines.image`); the container runtime binds them read-only (cluster/go/node/runtime.go). The same
table is what :mod:`cluster.images` builds real ones from.
"""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = "/opt/aftershock"  # the repository, inside nodes; of it, inside containers, what their image holds
PROGRAMS = "/opt/cluster/bin"  # the cluster's own programs, in both
PATH = f"{PROGRAMS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SYSTEM = ("/etc/alternatives", "/etc/ssl/certs", "/etc/ld.so.cache")  # Debian's names for programs, and authorities' certificates
_PACKAGES = ("/usr/lib/python3/dist-packages", "/usr/local/lib/python3*/dist-packages")  # of PyPI, as Debian installs them

Mount = dict[str, object]


@dataclass(frozen=True, slots=True)
class Share:
    """A file or folder of the host and where nodes and containers see it, read-only."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image of every node: its name in manifests, what it holds of the repository, its environment (none: the standard library).

    What it holds besides, where it is built (:mod:`cluster.images`): Debian's packages with what these need to run, and programs of Go
    modules, as ``MODULE/PROGRAM`` of cluster/go. How its containers start stands in its build file in images/.
    """

    name: str
    holds: tuple[str, ...]
    environment: str = ""
    packages: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()


# no shell in the first: the node program calls nft, ip, nsenter and haproxy by name
_FOR_FAULTS = ("python3", "nftables", "iproute2", "util-linux", "haproxy")
_SHELL = ("dash", "coreutils", "libc-bin")
_DISK = "disk/aftershock-disk"
FAULT = Image("aftershock/fault:dev", ("faults/__init__.py", "faults/node_agent"), packages=_FOR_FAULTS, programs=(_DISK,))
SUITE = Image(
    "aftershock/suite:dev",
    (
        *("Makefile", "conftest.py", "pyproject.toml", "experiments", "targets"),
        *("cluster", "faults", "history", "kube", "nights", "probes", "reports", "runner", "safety", "target", "verdict", "workloads"),
    ),
    ".venv",
    # a target file that names this image alone needs no other
    packages=(*_FOR_FAULTS, *_SHELL, "bash", "make", "ca-certificates"),
    programs=(_DISK,),
)
PLATFORM = Image(
    "aftershock/platform:dev",
    ("workloads",),
    ".venv-platform",
    packages=("python3", *_SHELL, "haproxy", "prometheus", "prometheus-alertmanager", "redis-server"),
    programs=("s3/versitygw",),
)
VLLM = Image("aftershock/vllm:dev", ("workloads",), ".venv-vllm")
CLUSTER = Image("aftershock/cluster:dev", ())  # the cluster's own programs: DNS, the device plugin
STAND_IN = Image("aftershock/stand-in:dev", ("history", "testing"))  # somebody else's service, as tests deploy it
IMAGES = (FAULT, SUITE, PLATFORM, VLLM, CLUSTER, STAND_IN)
BUILT = (FAULT, SUITE, PLATFORM)  # those that cluster.images builds


def node_shares(programs: Path, kept: Path) -> list[Share]:
    """Return what every node sees of the host; of files copies in ``kept``, a folder of the cluster's."""
    interpreter = [Share(prefix, prefix)] if (prefix := python_prefix()) else []
    return [*(_lasting(share, kept) for share in system_shares(programs)), Share(str(REPOSITORY), PROJECT), *interpreter]


def _lasting(share: Share, kept: Path) -> Share:
    """Return a share that stays what it is. A package that the host installs replaces the linker's cache; no container could start then."""
    source = Path(share.source)
    if source.is_dir():
        return share
    copy = kept / source.name
    if not copy.exists():
        kept.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    return Share(str(copy), share.target)


def system_shares(programs: Path) -> list[Share]:
    """Return what containers of every image without files of its own see of the host: Debian's programs and the cluster's."""
    sources = {"/usr": "/usr", PROGRAMS: str(programs)}
    return [Share(sources.get(place, place), place) for place in _system()]


def _system() -> list[str]:
    return ["/usr", PROGRAMS, *(place for place in _SYSTEM if Path(place).exists())]


def without_files(store: str) -> list[Image]:
    """Return the images that hold no files: where a cluster has a ``store`` of built ones (its folder; empty: none), not those."""
    return [image for image in IMAGES if not (store and image in BUILT)]


def python_prefix() -> str:
    """Return the prefix of the interpreter that the suite's environment links to, else of the running one; empty if it is below /usr."""
    python = REPOSITORY / ".venv" / "bin" / "python"
    prefix = str(python.resolve().parent.parent) if python.exists() else sys.base_prefix
    return "" if Path(prefix).is_relative_to("/usr") else prefix


def path_of(image: Image) -> str:
    """Return the PATH of an image's containers: its `python3` is its environment's, else that of which environments are made."""
    if image.environment:
        return f"{PROJECT}/{image.environment}/bin:{PATH}"
    return f"{prefix}/bin:{PATH}" if (prefix := python_prefix()) else PATH


def mounts(image: Image) -> list[Mount]:
    """Return what an image holds as mounts of its containers: sources are paths of the node, which has the same tree at the same places."""
    held = [*_system(), *(f"{PROJECT}/{name}" for name in (*image.holds, image.environment) if name)]
    # an interpreter outside /usr must be where the environment's `python` link points to
    prefix = python_prefix()
    return [*map(read_only, [*held, *([prefix] if prefix else [])]), *([] if image.environment else map(emptied, _site_packages(prefix)))]


def read_only(place: str) -> Mount:
    """Return the mount by which a container sees what its node has at the same place."""
    return {"destination": place, "type": "bind", "source": place, "options": ["rbind", "ro"]}


def emptied(folder: str) -> Mount:
    """Return the mount that hides what is in a folder."""
    return {"destination": folder, "type": "tmpfs", "source": "tmpfs", "options": ["ro", "nosuid", "nodev", "noexec"]}


def _site_packages(prefix: str) -> list[str]:
    patterns = [*_PACKAGES, f"{prefix or '/usr'}/lib/python3*/site-packages"]
    return sorted(str(found) for pattern in patterns for found in Path("/").glob(pattern.lstrip("/")))
