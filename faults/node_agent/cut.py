"""Networks cut: one pod's, wholly or in part, the answers of DNS to one pod, or the whole node's with its kubelet frozen; or that alone.

Runs in a fault pod; standard library only.
"""

from __future__ import annotations

import argparse
import os
import signal
from contextlib import suppress

from faults.node_agent.commands import command, pod_uid, whole
from faults.node_agent.node import KUBELET_PORT, NO_TABLE, TABLE, Effect, Refused, kubelets, network_of, nft, own_addresses

ALL = 100  # percent
SET = f"add set {TABLE} cut {{ typeof meta nfproto; flags timeout; }}"
SERVFAIL = "@th,88,8 set 0x82"  # the second byte of a DNS message's flags: recursion available, code 2
DNS = {  # how it fails -> what becomes of its answers by UDP, over IPv4 and IPv6
    "silent": ("drop", "drop"),
    # without a checksum, which IPv4 allows. Over IPv6 the old one stays: where a network card has not looked at it before, none arrives
    "servfail": (f"{SERVFAIL} @th,48,16 set 0", SERVFAIL),
}


@command("isolate", "cut one pod of this node off from everything but the node (its kubelet's probes)", pod=pod_uid)
def _isolate(it: argparse.Namespace) -> Effect:
    return isolation(it.pod, it.for_s)


@command("packet-loss", "lose a share of the packets of one pod, but for those of the node", pod=pod_uid, percent=whole(ALL - 1))
def _packet_loss(it: argparse.Namespace) -> Effect:
    return packet_loss(it.pod, it.percent, it.for_s)


def how_dns_fails(text: str) -> str:
    """Return how DNS is to fail. Raises ValueError: not known."""
    if text not in DNS:
        raise ValueError(f"{text!r} is none of {', '.join(DNS)}")
    return text


@command("dns-fail", "let no answer of DNS reach one pod of this node, or let each say SERVFAIL", pod=pod_uid, how=how_dns_fails)
def _dns_fail(it: argparse.Namespace) -> Effect:
    return dns_failure(it.pod, it.how, it.for_s)


@command("silence", "freeze the kubelet and cut the node's network, as if the machine had hung")
def _silence(it: argparse.Namespace) -> Effect:
    return silence(it.for_s)


@command("kubelet-freeze", "freeze the kubelet of this node; its pods go on")
def _freeze(_it: argparse.Namespace) -> Effect:
    return freeze()


def isolation(uid: str, for_s: float) -> Effect:
    """Return the cut of one pod. Raises Refused: it does not run here, or it shares the node's network."""
    return _in_network_of(uid, "isolate", cut_rules(for_s, own_addresses()))


def packet_loss(uid: str, percent: int, for_s: float) -> Effect:
    """Return the loss of ``percent`` of one pod's packets. Raises Refused: as :func:`isolation`."""
    return _in_network_of(uid, "packet-loss", cut_rules(for_s, own_addresses(), percent))


def dns_failure(uid: str, how: str, for_s: float) -> Effect:
    """Return the failure of DNS for one pod. Raises Refused: as :func:`isolation`."""
    return _in_network_of(uid, "dns-fail", dns_rules(for_s, how))


def _in_network_of(uid: str, word: str, rules: str) -> Effect:
    """Return rules in a pod's own network as an effect. Raises Refused: the pod does not run here, or it shares the node's network."""
    space = network_of(uid)
    return Effect(word, lambda: nft(rules, space), lambda: nft(NO_TABLE, space))


def silence(for_s: float) -> Effect:
    """Return the silence of this node. Raises Refused: not exactly one kubelet runs here."""
    frozen, rules = freeze(), cut_rules(for_s, [])

    def begin() -> None:
        nft(rules)
        frozen.begin()

    def end() -> None:
        try:
            frozen.end()
        finally:
            nft(NO_TABLE)

    return Effect("silence", begin, end)


def freeze() -> Effect:
    """Return the freeze of this node's kubelet. Raises Refused: not exactly one runs here."""
    found = kubelets()
    if len(found) != 1:
        which = f"who serves port {KUBELET_PORT} of this node, or an executable of that name"
        raise Refused(f"{len(found)} processes are a kubelet, expected exactly 1 ({which}): {found}")
    kubelet = os.pidfd_open(found[0])  # unlike a number, it can't come to mean another process

    def end() -> None:
        with suppress(ProcessLookupError):  # it was restarted: the new one runs
            signal.pidfd_send_signal(kubelet, signal.SIGCONT)

    return Effect("kubelet-freeze", lambda: signal.pidfd_send_signal(kubelet, signal.SIGSTOP), end)


def cut_rules(for_s: float, allowed: list[str], percent: int = ALL) -> str:
    """Return an nftables script: drop everything but loopback and ``allowed`` addresses, until the kernel forgets the set's elements.

    ``percent``: the share of packets that is dropped, each by chance, in each direction.
    """
    by_chance = "" if percent == ALL else f"numgen random mod {ALL} < {percent} "
    lines = [NO_TABLE, f"add table {TABLE}", SET]
    for hook in ("input", "output", "forward"):
        lines.append(f"add chain {TABLE} {hook} {{ type filter hook {hook} priority -300; policy accept; }}")
        lines += [f'add rule {TABLE} {hook} {way} "lo" accept' for way in ("iifname", "oifname") if allows(hook, way)]
        for address in allowed:
            family, way = ("ip6" if ":" in address else "ip"), ("daddr" if hook == "output" else "saddr")
            lines.append(f"add rule {TABLE} {hook} {family} {way} {address} accept")
        lines.append(f"add rule {TABLE} {hook} meta nfproto @cut {by_chance}drop")
    return "\n".join([*lines, _elements(for_s)]) + "\n"


def dns_rules(for_s: float, how: str) -> str:
    """Return an nftables script: what comes from port 53 is dropped or changed, but not on loopback, until the kernel forgets the elements.

    Answers, not questions: for a question dropped on its way out, the kernel tells the program at once that it may not send (EPERM).
    """
    rule = f"add rule {TABLE} input"
    lines = [NO_TABLE, f"add table {TABLE}", SET, f"add chain {TABLE} input {{ type filter hook input priority -300; policy accept; }}"]
    lines += [f'{rule} iifname "lo" accept', f"{rule} meta nfproto @cut tcp sport 53 drop"]
    lines += [
        f"{rule} meta nfproto @cut meta nfproto {family} udp sport 53 {does}"
        for family, does in zip(("ipv4", "ipv6"), DNS[how], strict=True)
    ]
    return "\n".join([*lines, _elements(for_s)]) + "\n"


def _elements(for_s: float) -> str:
    kept_ms = int(for_s * 1e3)
    return f"add element {TABLE} cut {{ ipv4 timeout {kept_ms}ms, ipv6 timeout {kept_ms}ms }}"


def allows(hook: str, way: str) -> bool:
    """Tell whether a hook knows the interface of that direction."""
    return (hook, way) in {("input", "iifname"), ("output", "oifname")}
