"""The ways to ask a replica, and which of them is taken for the replicas of a role."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Way(StrEnum):
    """A way to a pod through the API server; the value is its name for people, and the resource that an account needs is in it."""

    PROXY = "pods/proxy"  # the API server itself goes to the pod's address
    PORT_FORWARD = "pods/portforward"  # the pod's kubelet does, on its own node
    EXEC = "pods/exec"  # a command in the pod's container


class Ways(NamedTuple):
    """Through what the questions of each kind are asked; None: they are not, and the kubelet's own word counts.

    ``lacks`` says why not, in words; empty where everything is asked.
    """

    http: Way | None = Way.PROXY
    tcp: Way | None = None
    exec: Way | None = None
    lacks: str = ""

    @property
    def sentence(self) -> str:
        """Return which kinds of questions are asked through what, and what is left to the condition."""
        named = {"HTTP": self.http, "TCP": self.tcp, "exec": self.exec}
        asked = [f"{kind} through {way}" for kind, way in named.items() if way is not None]
        return "; ".join([*asked, *([f"by its condition: {self.lacks}"] if self.lacks else [])]) or "by its condition: nothing is asked"


UNTRIED = Ways()
"""Of a role whose pods nobody has asked yet."""
