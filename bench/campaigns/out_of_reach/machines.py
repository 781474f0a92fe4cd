"""A machine of the bench's own that can be lost: a network namespace with one card in the cluster's node network.

The card is a macvlan child of the interface that leads to the API server: neither the host's routes nor the cluster's are changed.
What runs in the namespace reaches the API server and the nodes, and nothing else (not even this host).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

PREFIX = "aftershock-lost-"
CARD = "card0"
FIRST = 201
"""Addresses from here on are the machines'; a cluster of 190 nodes is not broken on one host."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine, by the name of its network namespace."""

    name: str

    @property
    def within(self) -> tuple[str, ...]:
        """Return the program that runs another on this machine, and its arguments."""
        return ("nsenter", f"--net=/run/netns/{self.name}")

    def plug(self, parent: str, address: IPv4Interface) -> None:
        """Make it, with a card below the interface ``parent``. Raises CalledProcessError."""
        _ip("netns", "add", self.name)
        _ip("link", "add", "link", parent, "name", CARD, "netns", self.name, "type", "macvlan", "mode", "bridge")
        _ip("-n", self.name, "addr", "add", str(address), "dev", CARD)
        for link in ("lo", CARD):
            _ip("-n", self.name, "link", "set", link, "up")

    def lose(self, _process: subprocess.Popen[str] | None = None) -> None:
        """Pull its card (so that nobody hears its connections end), kill all that runs on it, remove it. Nothing left of it is success."""
        if not (Path("/run/netns") / self.name).exists():
            return
        subprocess.run(["ip", "-n", self.name, "link", "set", CARD, "down"], check=False, capture_output=True)
        while pids := _ip("netns", "pids", self.name).split():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        _ip("netns", "delete", self.name)


@contextlib.contextmanager
def machines(server: str, count: int) -> Iterator[list[Machine]]:
    """Make ``count`` machines that reach the API server at the address ``server``; whatever happens, none of them is left."""
    for left in _names():
        Machine(left).lose()
    with ExitStack() as stack:
        parent, own = _way_to(server)
        made = [Machine(f"{PREFIX}{number}") for number in range(count)]
        for number, machine in enumerate(made):
            stack.callback(machine.lose)
            machine.plug(parent, IPv4Interface(f"{own.network[FIRST + number]}/{own.network.prefixlen}"))
        yield made


def _way_to(server: str) -> tuple[str, IPv4Interface]:
    """Return the interface that leads to ``server``, and this host's address on it."""
    [route] = json.loads(_ip("-json", "-4", "route", "get", server))
    [link] = json.loads(_ip("-json", "-4", "addr", "show", "dev", route["dev"]))
    [address] = [known for known in link["addr_info"] if known["local"] == route["prefsrc"]]
    return route["dev"], IPv4Interface(f"{address['local']}/{address['prefixlen']}")


def _names() -> list[str]:
    """Return the machines that an earlier session, killed itself, left."""
    return [word for line in _ip("netns", "list").splitlines() if (word := line.split()[0]).startswith(PREFIX)]


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout
