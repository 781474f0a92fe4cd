"""What a program in a fault pod finds on its node, and how it sets rules there. Standard library only."""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TABLE = "inet aftershock"
NO_TABLE = f"add table {TABLE}\ndelete table {TABLE}\n"
UID = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")
KUBELET_PORT = 10250
LISTENS = "0A"  # TCP_LISTEN of the kernel
POD_GROUP = "pod{uid}"


class Refused(Exception):
    """Nothing was set; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A fault: ``begin`` sets it, ``end`` takes it away (idempotent; it works from the watchdog too).

    ``lives``, where a program of its own makes it: whether that still runs; asked of whoever began it.
    """

    name: str
    begin: Callable[[], None]
    end: Callable[[], None]
    lives: Callable[[], bool] = lambda: True


def say(**what: object) -> None:
    """Write one line to the program's log."""
    print(json.dumps({**what, "t_ns": time.time_ns()}), flush=True)


def nft(script: str, space: int | None = None) -> None:
    """Apply a script in this network namespace or in that of the descriptor ``space``. Raises OSError, SubprocessError."""
    command = ["nft", "-f", "-"] if space is None else ["nsenter", f"--net=/proc/self/fd/{space}", "nft", "-f", "-"]
    kept = () if space is None else (space,)
    done = subprocess.run(command, input=script, pass_fds=kept, capture_output=True, text=True, timeout=10, check=False)
    if done.returncode:
        raise OSError(f"nft ended with status {done.returncode}: {done.stderr.strip()[:500]}")


def own_addresses() -> list[str]:
    """Return the addresses of this node, from which its kubelet probes pods. Raises OSError, SubprocessError."""
    done = subprocess.run(["ip", "-j", "addr"], capture_output=True, text=True, timeout=10, check=True)
    found = [one["local"] for link in json.loads(done.stdout) for one in link.get("addr_info", []) if "local" in one]
    return sorted(address for address in found if not address.startswith(("127.", "::1", "fe80")))


def network_of(uid: str) -> int:
    """Return a descriptor of a pod's network namespace. Raises Refused: the pod does not run here, or it shares the node's network."""
    space = os.open(f"/proc/{processes_of(uid)[0]}/ns/net", os.O_RDONLY)
    if os.fstat(space).st_ino == Path("/proc/self/ns/net").stat().st_ino:
        raise Refused(f"pod {uid} shares the network of its node; what is set there would meet the node")
    return space


def enter(space: int, what: str = "enter a namespace") -> None:
    """Let this process see the namespace of a descriptor. Raises OSError, which says ``what`` failed."""
    checked(ctypes.CDLL(None, use_errno=True).setns(space, 0), what)


def checked(status: int, what: str = "") -> None:
    """Raise OSError, with ``what`` failed if it is said, where a call of the C library returned other than 0."""
    if status:
        said = os.strerror(ctypes.get_errno())
        raise OSError(ctypes.get_errno(), f"{said}: {what}" if what else said)


def processes_of(uid: str) -> list[int]:
    """Return the processes of a pod, by their control groups. Raises Refused: there is none on this node."""
    found = [pid for pid in pids() if uid_in(read(f"/proc/{pid}/cgroup"), uid)]
    if not found:
        raise Refused(f"pod {uid}: no process of it runs on this node")
    return found


def uid_in(groups: str, uid: str) -> bool:
    """Tell whether control groups, as in /proc/PID/cgroup, are those of the pod ``uid``; systemd writes it with low lines."""
    return any(POD_GROUP.format(uid=name) in groups for name in (uid, uid.replace("-", "_")))


def kubelets(port: int = KUBELET_PORT) -> list[int]:
    """Return who serves the kubelet's port on this node, whatever the executable is called; else those called kubelet.

    In k3s, k0s and MicroK8s the kubelet is a part of a larger program; https://kubernetes.io/docs/reference/networking/ports-and-protocols/
    has the port. Of processes that share the socket since a fork, it is the eldest.
    """
    sharing = servers_of(port)
    return [pid for pid in sharing if parent_of(pid) not in sharing] or [
        pid for pid in pids() if Path(read(f"/proc/{pid}/cmdline").split("\0")[0]).name == "kubelet"
    ]


def servers_of(port: int) -> list[int]:
    """Return the processes that hold a socket which listens at a TCP port in this network namespace."""
    sockets = {f"socket:[{inode}]" for inode in listeners(f"{read('/proc/net/tcp')}\n{read('/proc/net/tcp6')}", port)}
    return [pid for pid in pids() if sockets and sockets & _open_files(pid)]


def listeners(table: str, port: int) -> set[str]:
    """Return the inodes of the sockets that listen at ``port``, by the text of ``/proc/net/tcp`` (proc_net_tcp in the kernel's docs)."""
    rows = [line.split() for line in table.splitlines()]
    return {row[9] for row in rows if len(row) > 9 and row[3] == LISTENS and row[1].endswith(f":{port:04X}")}


def parent_of(pid: int) -> int:
    """Return the parent of a process; 0 if it is gone."""
    found = re.search(r"^PPid:\s*(\d+)", read(f"/proc/{pid}/status"), re.MULTILINE)
    return int(found[1]) if found else 0


def _open_files(pid: int) -> set[str]:
    """Return what the descriptors of a process lead to; those that were closed meanwhile are left out, and all of one that is gone."""
    found = set()
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.add(str(entry.readlink()))
    return found


def pids() -> list[int]:
    """Return all processes of the node."""
    return sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def read(path: str) -> str:
    """Return a file of the kernel; empty if its process is gone."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
