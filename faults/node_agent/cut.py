"""Networks cut: one pod's, or the whole node's with its kubelet frozen. Runs in a fault pod; standard library only."""

from __future__ import annotations

import argparse
import os
import signal

from faults.node_agent.commands import command, pod_uid
from faults.node_agent.node import NO_TABLE, TABLE, Effect, Refused, kubelets, network_of, nft, own_addresses


@command("isolate", "cut one pod of this node off from everything but the node (its kubelet's probes)", pod=pod_uid)
def _isolate(it: argparse.Namespace) -> Effect:
    return isolation(it.pod, it.for_s)


@command("silence", "freeze the kubelet and cut the node's network, as if the machine had hung")
def _silence(it: argparse.Namespace) -> Effect:
    return silence(it.for_s)


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
