"""``python -m faults.inside``: what runs in a fault pod, on the node itself: prepare, say so, act, end.

    isolate --pod UID --for S --not-after T     cut one pod of this node off from everything but the node (its kubelet's probes)
    silence --for S --not-after T               freeze the kubelet and cut the node's network, as if the machine had hung
    refuse --pod UID --port N --percent P …     answer so many percent of a pod's requests 503 SlowDown
    delay --pod UID --port N --latency-ms MS …  let every request to a pod wait
    hide --pod UID --port N …                   answer S3's ListObjectsV2 with an empty list
    read-only --pod UID --path P …              let a pod write nothing to one of its volumes

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
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from faults.mounts import read_only
from faults.node import NO_TABLE, TABLE, UID, Effect, Refused, kubelets, network_of, nft, own_addresses, read
from faults.proxy import Server, delay, hiding, refusal

LEAD_S = 1.5  # between saying "armed" and acting, so that it can still be heard from a node that is about to be silent
WATCH_S = 1.0  # the watchdog waits so much longer than this program
LONGEST_S = 600.0
ENDINGS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
NODE_INIT = 1  # with hostPID: the node's own first process


def main(arguments: list[str] | None = None) -> int:
    """Carry out one fault; return the exit status."""
    options = parser().parse_args(arguments)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    try:
        if time.time() > options.not_after:
            raise Refused(f"started {time.time() - options.not_after:.1f} s after the latest moment; nobody waits for it any more")
        effect = effect_of(options)
        watchdog = watched(effect, LEAD_S + options.for_s + WATCH_S)
    except (Refused, OSError, subprocess.SubprocessError) as error:
        say(refused=str(error))
        return 3
    return carry_out(effect, options.for_s, watchdog)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser; every argument is bounded."""
    made = argparse.ArgumentParser(prog="python -m faults.inside", description=(__doc__ or "").splitlines()[0])
    commands = made.add_subparsers(dest="command", required=True)
    for name, words in COMMANDS.items():
        command = commands.add_parser(name)
        command.add_argument("--for", dest="for_s", type=bounded_s, required=True, metavar="S")
        command.add_argument("--not-after", type=float, required=True, metavar="UNIX_S", help="refuse to act after this moment")
        for word in words:
            command.add_argument(f"--{word}", type=ARGUMENTS[word], required=True)
    return made


def effect_of(options: argparse.Namespace) -> Effect:
    """Prepare what the command line asks for. Raises Refused, OSError, SubprocessError."""
    match options.command:
        case "isolate":
            return isolation(options.pod, options.for_s)
        case "refuse":
            return refusal(Server(options.pod, options.port), options.percent, options.for_s)
        case "delay":
            return delay(Server(options.pod, options.port), options.latency_ms, options.for_s)
        case "hide":
            return hiding(Server(options.pod, options.port), options.for_s)
        case "read-only":
            return read_only(options.pod, options.path)
        case _:
            return silence(options.for_s)


def bounded_s(text: str) -> float:
    """Return seconds, above 0 and at most 600. Raises ValueError."""
    value = float(text)
    if not 0 < value <= LONGEST_S:
        raise ValueError(f"{text} is not above 0 and at most {LONGEST_S:g}")
    return value


def whole(most: int) -> Callable[[str], int]:
    """Return what reads a whole number from 1 to ``most``, and raises ValueError for any other."""

    def number(text: str) -> int:
        value = int(text)
        if not 1 <= value <= most:
            raise ValueError(f"{text} is not from 1 to {most}")
        return value

    return number


def pod_uid(text: str) -> str:
    """Return a pod's uid. Raises ValueError: it is none."""
    if not UID.fullmatch(text):
        raise ValueError(f"{text!r} is not a uid")
    return text


COMMANDS: dict[str, tuple[str, ...]] = {
    "isolate": ("pod",),
    "silence": (),
    "refuse": ("pod", "port", "percent"),
    "delay": ("pod", "port", "latency-ms"),
    "hide": ("pod", "port"),
    "read-only": ("pod", "path"),
}
ARGUMENTS: dict[str, Callable[[str], object]] = {
    "pod": pod_uid,
    "port": whole(65535),
    "percent": whole(100),
    "latency-ms": whole(60_000),
    "path": str,
}


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
    space = network_of(uid)
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
