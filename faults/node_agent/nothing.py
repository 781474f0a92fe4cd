"""Nothing: what a fault pod does before a run, to show that one starts on a node with what it needs. Standard library only."""

from __future__ import annotations

import argparse
import re
import subprocess

from faults.node_agent.commands import command
from faults.node_agent.node import Effect, Refused, read

NEEDED = {"NET_ADMIN": 12, "SYS_CHROOT": 18, "SYS_PTRACE": 19, "SYS_ADMIN": 21}  # capability -> its bit in linux/capability.h


@command("nothing", "change nothing: say whether this program has the rights and the tools that it needs on this node")
def _nothing(_it: argparse.Namespace) -> Effect:
    return nothing()


def nothing() -> Effect:
    """Return an effect that is none. Raises Refused, OSError, SubprocessError: a capability is not there, or nftables does not work."""
    found = re.search(r"^CapEff:\s*([0-9a-f]+)", read("/proc/self/status"), re.MULTILINE)
    granted = int(found[1], 16) if found else 0
    lacking = [name for name, bit in NEEDED.items() if not granted >> bit & 1]
    if lacking:
        raise Refused(f"its container was granted no {', '.join(lacking)}, although its manifest asks for them; see who takes them away")
    done = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, timeout=10, check=False)
    if done.returncode:
        raise OSError(f"nft list tables ended with status {done.returncode}: {done.stderr.strip()[:500]}")
    return Effect("nothing", lambda: None, lambda: None)
