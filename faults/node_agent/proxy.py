"""A proxy before one port of a pod, in the pod's own network: a server answers badly that has no such mode. Runs in a fault pod.

    clients ──▶ pod:PORT ══ nftables ══▶ haproxy ── loopback ──▶ the server, which knows nothing of it

What comes from the node itself (its kubelet's probes) goes past the proxy. New connections are led there by a rule on an nftables set
whose elements the kernel forgets; connections that stood before are reset once, or they would go past it too. haproxy is ended by
:func:`Effect.end`, and by the kernel when this program dies: then connections are refused until the kernel forgets the rule. IPv4.
Standard library only.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import select
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass

from faults.node_agent.commands import command, pod_uid, whole
from faults.node_agent.node import NO_TABLE, TABLE, Effect, Refused, network_of, nft, own_addresses, read

PROXY_PORT = 15790  # below the ports that the kernel gives to outgoing connections
START_S = 5.0
LINGER_S = 1.0
LISTENS = f"00000000:{PROXY_PORT:04X} 00000000:0000 0A"  # in /proc/PID/net/tcp
SET = f"add set {TABLE} proxied {{ typeof meta nfproto; flags timeout; }}\n"
FORGET = f"add table {TABLE}\n{SET}flush set {TABLE} proxied\n"
PR_SET_PDEATHSIG = 1

SLOW_DOWN = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
NOTHING_FOUND = (
    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys>'
    "<IsTruncated>false</IsTruncated></ListBucketResult>"
)
XML = "http-request return status {status} content-type application/xml string '{body}' if {{ {when} }}"
WAIT = 'core.register_action("wait", {{"http-req"}}, function(txn) core.msleep({latency_ms}) end)\n'
CONFIG = """\
global
  maxconn 500
  nbthread 1
  lua-load /proc/self/fd/{lua}
defaults
  mode http
  timeout connect 2s
  timeout client 600s
  timeout server 600s
frontend front
  bind 0.0.0.0:{listen}
  {rule}
  default_backend server
backend server
  server own 127.0.0.1:{port}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A port of a pod of this node."""

    uid: str
    port: int


PORT = whole(65535)


@command("refuse", "answer so many percent of a pod's requests 503 SlowDown", pod=pod_uid, port=PORT, percent=whole(100))
def _refuse(it: argparse.Namespace) -> Effect:
    return refusal(Server(it.pod, it.port), it.percent, it.for_s)


@command("delay", "let every request to a pod wait", pod=pod_uid, port=PORT, latency_ms=whole(60_000))
def _delay(it: argparse.Namespace) -> Effect:
    return delay(Server(it.pod, it.port), it.latency_ms, it.for_s)


@command("hide", "answer S3's ListObjectsV2 with an empty list", pod=pod_uid, port=PORT)
def _hide(it: argparse.Namespace) -> Effect:
    return hiding(Server(it.pod, it.port), it.for_s)


def refusal(server: Server, percent: int, for_s: float) -> Effect:
    """Return a storm: so many percent of requests, by chance, are answered 503 SlowDown, as S3 does. Raises Refused, OSError."""
    return proxied("refuse", server, for_s, XML.format(status=503, body=SLOW_DOWN, when=f"rand(100) lt {percent}"))


def hiding(server: Server, for_s: float) -> Effect:
    """Return empty answers to ListObjectsV2; everything else is as it was. Raises Refused, OSError."""
    return proxied("hide", server, for_s, XML.format(status=200, body=NOTHING_FOUND, when="method GET } { url_param(list-type) -m str 2"))


def delay(server: Server, latency_ms: int, for_s: float) -> Effect:
    """Return a delay of every request. Raises Refused, OSError."""
    return proxied("delay", server, for_s, "http-request lua.wait", WAIT.format(latency_ms=latency_ms))


def proxied(name: str, server: Server, for_s: float, rule: str, lua: str = "") -> Effect:
    """Start a proxy with one rule beside a pod's server; the effect leads its clients there.

    Raises:
        Refused: the pod does not run here, it shares the node's network, or the proxy does not start.

    """
    space = network_of(server.uid)
    script = in_memory(lua)
    proxy = started(space, script, in_memory(CONFIG.format(listen=PROXY_PORT, port=server.port, rule=rule, lua=script)))
    rules = redirect_rules(server.port, for_s, own_addresses())

    def end() -> None:
        try:
            nft(FORGET, space)  # first, so that nobody new is sent to a proxy that ends
        finally:
            if stop(proxy):
                time.sleep(LINGER_S)  # what clients still send must meet a reset from the port that they asked: the table's work
            nft(NO_TABLE, space)

    return Effect(name, lambda: nft(rules, space), end)


def in_memory(text: str) -> int:
    """Return a descriptor of a file that is in no folder: a fault pod has none that it may write."""
    made = os.memfd_create("proxy")
    os.write(made, text.encode())
    return made


def started(space: int, script: int, configuration: int) -> int:
    """Start haproxy in the network of the descriptor ``space``, with files by their descriptors; return a descriptor of its process.

    Raises:
        Refused: it ends, or does not listen within 5 s.

    """
    command = ["nsenter", f"--net=/proc/self/fd/{space}", "haproxy", "-q", "-db", "-f", f"/proc/self/fd/{configuration}"]
    libc = ctypes.CDLL(None)
    made = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, pass_fds=(space, script, configuration),
        preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509  # no threads here
    )  # fmt: skip
    until = time.monotonic() + START_S
    while LISTENS not in read(f"/proc/{made.pid}/net/tcp"):
        if made.poll() is not None or time.monotonic() > until:
            made.kill()
            raise Refused(f"haproxy does not listen on port {PROXY_PORT} of the pod: {made.communicate()[1].strip()[-500:]}")
        time.sleep(0.05)
    return os.pidfd_open(made.pid)


def stop(process: int) -> bool:
    """End a process by its descriptor, whoever its parent is, and wait until what it had open is closed; False: it had ended before."""
    if select.select([process], [], [], 0)[0]:
        return False
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(process, signal.SIGKILL)
    select.select([process], [], [], START_S)
    return True


def redirect_rules(port: int, for_s: float, spared: list[str]) -> str:
    """Return an nftables script that leads TCP connections to ``port`` to the proxy until the kernel forgets the set's element."""
    lines = [f"{NO_TABLE}add table {TABLE}\n{SET}"]
    lines.append(f"add chain {TABLE} arriving {{ type nat hook prerouting priority dstnat; policy accept; }}")
    lines.append(f"add chain {TABLE} standing {{ type filter hook input priority filter; policy accept; }}")
    lines.append(f'add rule {TABLE} standing iifname "lo" accept')
    for address in spared:
        if ":" not in address:
            lines += [f"add rule {TABLE} {chain} ip saddr {address} accept" for chain in ("arriving", "standing")]
    lines.append(f"add rule {TABLE} arriving meta nfproto @proxied tcp dport {port} redirect to :{PROXY_PORT}")
    lines.append(f"add rule {TABLE} standing meta nfproto @proxied tcp dport {port} reject with tcp reset")
    lines.append(f"add element {TABLE} proxied {{ ipv4 timeout {int(for_s * 1e3)}ms }}")
    return "\n".join(lines) + "\n"
