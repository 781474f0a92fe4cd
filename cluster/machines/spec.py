"""The parts that every machine's spec has; the Go program cluster/go/node reads it (its spec.go says what each field means)."""

from pathlib import Path

from cluster.machines.image import GROUPS, LINKS, USERS
from cluster.machines.image_files import PATH, Share

LOGS = "/var/log/aftershock"  # on the host's disk, not the machine's: what was logged survives a power cut
CGROUPS = "/sys/fs/cgroup"
_DEVICES = tuple(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "kmsg", "fuse", "net/tun"))
_DEVICE_LINKS = {
    "/dev/ptmx": "pts/ptmx",
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
}
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the machine's own, not the host's

Mount = dict[str, object]
Service = dict[str, object]
Spec = dict[str, object]


def bind(source: str, target: str, *, read_only: bool = True) -> Mount:
    """Show a file or folder of the host at `target`."""
    return {"kind": "bind", "source": source, "target": target, "read_only": read_only}


def fresh(kind: str, target: str, data: str = "") -> Mount:
    """Mount a filesystem of the machine's own."""
    return {"kind": kind, "source": "", "target": target, "data": data}


def service(name: str, *argv: str, restart_after_s: float = 1.0) -> Service:
    """Keep a process running: it is started again after `restart_after_s` whenever it ends."""
    return {"name": name, "argv": list(argv), "log": f"{LOGS}/{name}.log", "restart_after_s": restart_after_s}


def one_shot(name: str, *argv: str) -> Service:
    """Run a process until it has succeeded; only then the next service starts."""
    return {"name": name, "argv": list(argv), "log": f"{LOGS}/{name}.log", "one_shot": True}


def common_mounts(shares: list[Share], logs: Path, disk: Mount | None = None) -> list[Mount]:
    """Return the mounts of any machine, in order: its kernel filesystems, its disk, what it sees of the host."""
    return [
        fresh("proc", "/proc"),
        fresh("sysfs", "/sys"),
        bind(CGROUPS, CGROUPS, read_only=False),
        *_devices(),
        fresh("tmpfs", "/run", "mode=755"),
        fresh("tmpfs", "/tmp", "mode=1777"),  # noqa: S108 - likewise
        *([disk] if disk else []),
        *(bind(s.source, s.target) for s in shares),
        bind(str(logs), LOGS, read_only=False),
    ]


def _devices() -> list[Mount]:
    """Return a /dev without the host's disks: a privileged pod is confined to its node's files."""
    devices = [bind(d, d, read_only=False) for d in _DEVICES if Path(d).exists()]
    own = [fresh("devpts", "/dev/pts", "newinstance,ptmxmode=0666,mode=620"), fresh("tmpfs", _SHARED_MEMORY, "mode=1777")]
    return [fresh("tmpfs", "/dev", "mode=755,size=1m"), *devices, *own]


def spec(mounts: list[Mount], services: list[Service], *, wait_address: str, hostname: str, files: dict[str, str] | None = None) -> Spec:
    """Return a spec; the files and links that any Linux machine has are added."""
    etc = {
        "/etc/hostname": f"{hostname}\n",
        "/etc/hosts": f"127.0.0.1 localhost\n{wait_address} {hostname}\n",
        "/etc/passwd": USERS,
        "/etc/group": GROUPS,
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        "/etc/resolv.conf": "",
    }
    return {
        "wait_address": wait_address,
        "mounts": mounts,
        "symlinks": {**LINKS, **_DEVICE_LINKS, "/etc/os-release": "../usr/lib/os-release", "/var/run": "/run"},
        "files": {**etc, **(files or {})},
        "env": {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"},
        "services": services,
    }
