"""``python -m faults.node_agent.main``: what runs in a fault pod, on the node itself: prepare, say so, act, end.

    isolate --pod UID --for S --not-after T     cut one pod of this node off from everything but the node (its kubelet's probes)
    silence --for S --not-after T               freeze the kubelet and cut the node's network, as if the machine had hung
    refuse --pod UID --port N --percent P …     answer so many percent of a pod's requests 503 SlowDown
    delay --pod UID --port N --latency-ms MS …  let every request to a pod wait
    hide --pod UID --port N …                   answer S3's ListObjectsV2 with an empty list
    read-only --pod UID --path P …              let a pod write nothing to one of its volumes
    disk-full --pod UID --path P --folder F …   let nothing new fit into a folder of a volume
    disk-fail … --percent P --seed N            fail so many percent of reads, writes and syncs with EIO
    disk-slow … --latency-ms MS                 let each read, write and sync wait

Whatever it sets is ended by three, each of which is enough: this program (its time is over, or SIGTERM), a watchdog process outside the
pod's control groups (it outlives the pod, a frozen kubelet and this program), and, for the network, the kernel (elements of an nftables
set with a timeout). Nothing is set unless the watchdog stands. Standard library only: it must start fast, and outlive its files.

Its log is one JSON object a line, the injector's word, never evidence. Exit status: 0 done, 2 usage, 3 refused, 4 failed and undone.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from faults.node_agent import cgroups
from faults.node_agent.fuse import sick
from faults.node_agent.mounts import read_only
from faults.node_agent.node import NO_TABLE, TABLE, UID, Effect, Refused, kubelets, network_of, nft, own_addresses
from faults.node_agent.proxy import Server, delay, hiding, refusal

LEAD_S = 1.5  # between saying "armed" and acting, so that it can still be heard from a node that is about to be silent
WATCH_S = 1.0  # the watchdog waits so much longer than this program
LOOK_S = 0.1  # between looks at what makes the effect
LONGEST_S = 600.0
ENDINGS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


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
    made = argparse.ArgumentParser(prog="python -m faults.node_agent.main", description=(__doc__ or "").splitlines()[0])
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
    return MADE[options.command](options)


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
    "disk-full": ("pod", "path", "folder"),
    "disk-fail": ("pod", "path", "folder", "percent", "seed"),
    "disk-slow": ("pod", "path", "folder", "latency-ms"),
}
MADE: dict[str, Callable[[argparse.Namespace], Effect]] = {
    "isolate": lambda it: isolation(it.pod, it.for_s),
    "silence": lambda it: silence(it.for_s),
    "refuse": lambda it: refusal(Server(it.pod, it.port), it.percent, it.for_s),
    "delay": lambda it: delay(Server(it.pod, it.port), it.latency_ms, it.for_s),
    "hide": lambda it: hiding(Server(it.pod, it.port), it.for_s),
    "read-only": lambda it: read_only(it.pod, it.path),
    "disk-full": lambda it: sick(it.pod, it.path, it.folder, ("full",)),
    "disk-fail": lambda it: sick(it.pod, it.path, it.folder, ("fail", "-percent", str(it.percent), "-seed", str(it.seed))),
    "disk-slow": lambda it: sick(it.pod, it.path, it.folder, ("slow", "-delay", f"{it.latency_ms}ms")),
}
ARGUMENTS: dict[str, Callable[[str], object]] = {
    "pod": pod_uid,
    "port": whole(65535),
    "percent": whole(100),
    "latency-ms": whole(60_000),
    "path": str,
    "folder": str,
    "seed": int,
}


def carry_out(effect: Effect, for_s: float, watchdog: int) -> int:
    """Announce, act, wait until the time is over or this program is told to end, undo."""
    say(armed=effect.name, acts_in_s=LEAD_S, for_s=for_s, watchdog=watchdog)
    told, status = signal.sigtimedwait(ENDINGS, LEAD_S), 0
    try:
        if told is None:
            effect.begin()
            say(did=effect.name)
            told = stands(effect, for_s)
    except (OSError, subprocess.SubprocessError) as error:
        say(failed=str(error))
        status = 4
    finally:
        effect.end()
        dismiss(watchdog)
    say(did="ended", because="time is over" if told is None else signal.Signals(told.si_signo).name)
    return status


def stands(effect: Effect, for_s: float) -> signal.struct_siginfo | None:
    """Wait until the time is over (None) or this program is told to end (by what). Raises OSError: what makes the effect has died."""
    until = time.monotonic() + for_s
    while (left := until - time.monotonic()) > 0:
        told = signal.sigtimedwait(ENDINGS, min(left, LOOK_S))
        if told is not None:
            return told
        if not effect.lives():
            raise OSError(f"{effect.name}: the program that makes it has died")
    return None


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
    try:
        cgroups.leave(pid)
    except Refused:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
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


if __name__ == "__main__":
    sys.exit(main())
