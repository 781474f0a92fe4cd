"""``python -m faults.inside``: what runs in a fault pod, on the node itself: prepare, say so, act, end.

    isolate --pod UID --for S --not-after T     cut one pod of this node off from everything but the node (its kubelet's probes)
    silence --for S --not-after T               freeze the kubelet and cut the node's network, as if the machine had hung

Whatever it sets is ended by three, each of which is enough: this program (its time is over, or SIGTERM), a watchdog process outside the
pod's control groups (it outlives the pod, a frozen kubelet and this program), and, for the network, the kernel (elements of an nftables
set with a timeout). Nothing is set unless the watchdog stands. Standard library only: it must start fast, and outlive its files.

Its log is one JSON object a line, the injector's word, never evidence. Exit status: 0 done, 2 usage, 3 refused, 4 failed and undone.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LEAD_S = 1.5  # between saying "armed" and acting, so that it can still be heard from a node that is about to be silent
WATCH_S = 1.0  # the watchdog waits so much longer than this program
LONGEST_S = 600.0
TABLE = "inet aftershock"
ENDINGS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
UID = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")
POD_GROUP = "pod{uid}"
NODE_INIT = 1  # with hostPID: the node's own first process


class Refused(Exception):
    """Nothing was set; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A fault: ``begin`` sets it, ``end`` takes it away (idempotent; it works from the watchdog too)."""

    name: str
    begin: Callable[[], None]
    end: Callable[[], None]


def main(arguments: list[str] | None = None) -> int:
    """Carry out one fault; return the exit status."""
    options = parser().parse_args(arguments)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    try:
        if time.time() > options.not_after:
            raise Refused(f"started {time.time() - options.not_after:.1f} s after the latest moment; nobody waits for it any more")
        effect = isolation(options.pod, options.for_s) if options.command == "isolate" else silence(options.for_s)
        watchdog = watched(effect, LEAD_S + options.for_s + WATCH_S)
    except (Refused, OSError, subprocess.SubprocessError) as error:
        say(refused=str(error))
        return 3
    return carry_out(effect, options.for_s, watchdog)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser; every argument is bounded."""
    made = argparse.ArgumentParser(prog="python -m faults.inside", description=(__doc__ or "").splitlines()[0])
    commands = made.add_subparsers(dest="command", required=True)
    for name in ("isolate", "silence"):
        command = commands.add_parser(name)
        command.add_argument("--for", dest="for_s", type=bounded_s, required=True, metavar="S")
        command.add_argument("--not-after", type=float, required=True, metavar="UNIX_S", help="refuse to act after this moment")
        if name == "isolate":
            command.add_argument("--pod", type=pod_uid, required=True, metavar="UID")
    return made


def bounded_s(text: str) -> float:
    """Return seconds, above 0 and at most 600. Raises ValueError."""
    value = float(text)
    if not 0 < value <= LONGEST_S:
        raise ValueError(f"{text} is not above 0 and at most {LONGEST_S:g}")
    return value


def pod_uid(text: str) -> str:
    """Return a pod's uid. Raises ValueError: it is none."""
    if not UID.fullmatch(text):
        raise ValueError(f"{text!r} is not a uid")
    return text


def carry_out(effect: Effect, for_s: float, watchdog: int) -> int:
    """Announce, act, wait until the time is over or this program is told to end, undo."""
    say(armed=effect.name, acts_in_s=LEAD_S, for_s=for_s, watchdog=watchdog)
    told, status = signal.sigtimedwait(ENDINGS, LEAD_S), 0
    try:
        if told is None:
            effect.begin()
            say(did=effect.name)
            told = signal.sigtimedwait(ENDINGS, for_s)
    except (OSError, subprocess.SubprocessError) as error:
        say(failed=str(error))
        status = 4
    finally:
        effect.end()
        dismiss(watchdog)
    say(did="ended", because="time is over" if told is None else signal.Signals(told.si_signo).name)
    return status


def say(**what: object) -> None:
    """Write one line to the log."""
    print(json.dumps({**what, "t_ns": time.time_ns()}), flush=True)


# effects


def isolation(uid: str, for_s: float) -> Effect:
    """Return the cut of one pod. Raises Refused: it does not run here, or it shares the node's network."""
    pid = process_of(uid)
    space = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    if os.fstat(space).st_ino == Path("/proc/self/ns/net").stat().st_ino:
        raise Refused(f"pod {uid} shares the network of its node; cutting it would cut the node")
    rules = cut_rules(for_s, own_addresses())
    return Effect("isolate", lambda: nft(rules, space), lambda: nft(NO_TABLE, space))


def silence(for_s: float) -> Effect:
    """Return the silence of this node. Raises Refused: not exactly one kubelet runs here."""
    found = kubelets()
    if len(found) != 1:
        raise Refused(f"{len(found)} processes are a kubelet, expected exactly 1 (an executable of that name): {found}")
    kubelet = os.pidfd_open(found[0])  # unlike a number, it can't come to mean another process
    rules = cut_rules(for_s, [])

    def begin() -> None:
        nft(rules)
        signal.pidfd_send_signal(kubelet, signal.SIGSTOP)

    def end() -> None:
        try:
            signal.pidfd_send_signal(kubelet, signal.SIGCONT)
        except ProcessLookupError:
            pass  # it was restarted: the new one runs
        finally:
            nft(NO_TABLE)

    return Effect("silence", begin, end)


NO_TABLE = f"add table {TABLE}\ndelete table {TABLE}\n"


def cut_rules(for_s: float, allowed: list[str]) -> str:
    """Return an nftables script: drop everything but loopback and ``allowed`` addresses, until the kernel forgets the set's elements."""
    lines = [NO_TABLE, f"add table {TABLE}"]
    lines.append(f"add set {TABLE} cut {{ typeof meta nfproto; flags timeout; }}")
    for hook in ("input", "output", "forward"):
        lines.append(f"add chain {TABLE} {hook} {{ type filter hook {hook} priority -300; policy accept; }}")
        lines += [f'add rule {TABLE} {hook} {way} "lo" accept' for way in ("iifname", "oifname") if allows(hook, way)]
        for address in allowed:
            family, way = ("ip6" if ":" in address else "ip"), ("daddr" if hook == "output" else "saddr")
            lines.append(f"add rule {TABLE} {hook} {family} {way} {address} accept")
        lines.append(f"add rule {TABLE} {hook} meta nfproto @cut drop")
    kept_ms = int(for_s * 1e3)
    lines.append(f"add element {TABLE} cut {{ ipv4 timeout {kept_ms}ms, ipv6 timeout {kept_ms}ms }}")
    return "\n".join(lines) + "\n"


def allows(hook: str, way: str) -> bool:
    """Tell whether a hook knows the interface of that direction."""
    return (hook, way) in {("input", "iifname"), ("output", "oifname")}


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


def process_of(uid: str) -> int:
    """Return a process of a pod, by its control group. Raises Refused: there is none on this node."""
    names = {POD_GROUP.format(uid=uid), POD_GROUP.format(uid=uid.replace("-", "_"))}  # the second as systemd writes it
    for pid in pids():
        text = read(f"/proc/{pid}/cgroup")
        if any(name in text for name in names):
            return pid
    raise Refused(f"pod {uid}: no process of it runs on this node")


def kubelets() -> list[int]:
    """Return the processes whose executable is called kubelet."""
    return [pid for pid in pids() if Path(read(f"/proc/{pid}/cmdline").split("\0")[0]).name == "kubelet"]


def pids() -> list[int]:
    """Return all processes of the node."""
    return sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def read(path: str) -> str:
    """Return a file of the kernel; empty if its process is gone."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


# the watchdog


def watched(effect: Effect, after_s: float) -> int:
    """Start the watchdog outside this pod's control groups and return its process. Raises Refused: it can't get out of them."""
    until = time.monotonic() + after_s
    pid = os.fork()
    if not pid:
        _watch(effect, until)
    mover = os.fork()
    if not mover:
        _leave_groups(pid)
    os.waitpid(mover, 0)
    if read(f"/proc/{pid}/cgroup") != read(f"/proc/{NODE_INIT}/cgroup"):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise Refused("the watchdog could not leave the pod's control groups: it would die with the pod, so nothing is set")
    return pid


def dismiss(watchdog: int) -> None:
    """Tell the watchdog that it is over (it undoes once more, which changes nothing)."""
    os.kill(watchdog, signal.SIGTERM)
    os.waitpid(watchdog, 0)


def _watch(effect: Effect, until: float) -> None:
    """Be the watchdog: wait, end the fault, whatever has become of everybody else. The pod's log is closed, or it would hold the pod."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    try:
        signal.sigtimedwait(ENDINGS, max(0.0, until - time.monotonic()))
        effect.end()
    finally:
        os._exit(0)


def _leave_groups(pid: int) -> None:
    """Put process ``pid`` into the control groups of the node's first process: seen from there, all hierarchies are writable."""
    status = 1
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        for kind in ("cgroup", "mnt"):
            if libc.setns(os.open(f"/proc/{NODE_INIT}/ns/{kind}", os.O_RDONLY), 0):
                os._exit(1)
        for folder in group_folders(read(f"/proc/{NODE_INIT}/cgroup"), read(f"/proc/{NODE_INIT}/mountinfo")):
            Path(folder, "cgroup.procs").write_text(str(pid))
        status = 0
    finally:
        os._exit(status)


def group_folders(groups: str, mounts: str) -> list[str]:
    """Return the folder of each control group in ``groups`` (as in /proc/PID/cgroup), by the mounts (as in /proc/PID/mountinfo)."""
    mounted: dict[str, tuple[str, str]] = {}  # controllers, sorted (empty: version 2) -> mount point, root
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        if right.startswith("cgroup2 "):
            mounted[""] = left.split()[4], left.split()[3]
        elif right.startswith("cgroup "):
            for option in right.split()[-1].split(","):
                mounted[option] = left.split()[4], left.split()[3]
    found = []
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        point = mounted.get(controllers.split(",")[0])
        if point:
            inner = os.path.relpath(path, point[1]) if point[1] != "/" else path.lstrip("/")
            found.append(str(Path(point[0], inner)))
    return found


if __name__ == "__main__":
    sys.exit(main())
