"""Where the ranks of several pods meet: of all addresses that the name of the pod with index 0 has, the one that answers.

The pod of a lost node stays listed beside the one that takes its place, and the name of both leads to either. Whoever believes the name
waits for a machine without power until a connection times out, and again at each try.
"""

import socket
import time
from collections.abc import Callable, Mapping

HOST_INDEX = "0"
STORE_TIMEOUT_S = 20
"""How long torchrun waits for an answer of the rendezvous store (its default: 60 s): as long as ranks wait for each other."""
SILENT_S = 30.0
"""After so long without an answer the rendezvous's machine is taken for lost: longer than torchrun's own time-out."""
_CONNECT_S, _PAUSE_S, _PATIENCE_S = 2.0, 0.5, 60.0


def endpoint(rendezvous: str, environment: Mapping[str, str], leaving: Callable[[], bool], patience_s: float = _PATIENCE_S) -> str:
    """Return the host:port at which this pod meets the others.

    The pod with JOB_COMPLETION_INDEX 0 holds it, at its own POD_IP. Those with another index wait until an address of the name accepts a
    connection, for ``patience_s`` at most and not while ``leaving``; then, and without an index, the name is returned as it is.
    """
    name, _, port = rendezvous.rpartition(":")
    index = environment.get("JOB_COMPLETION_INDEX")
    if index == HOST_INDEX and environment.get("POD_IP"):
        return _written(environment["POD_IP"], port)
    if index in {None, HOST_INDEX}:
        return rendezvous
    until_s = time.monotonic() + patience_s
    while not leaving():
        for address in addresses(name.strip("[]"), port):
            if answers(address, port):
                return _written(address, port)
        if time.monotonic() >= until_s:
            break
        time.sleep(_PAUSE_S)
    return rendezvous


class RendezvousWatch:
    """Watches whether somebody still accepts connections where this pod met the others.

    torchrun itself does not notice a machine that lost its power. When its store client has waited for its time-out, it cancels the wait
    there and expects an answer to that without end (torch 2.13, TCPStore::doWait). So its ranks are never started again.
    """

    def __init__(self, endpoint: str, patience_s: float = SILENT_S) -> None:
        self._host, _, self._port = endpoint.rpartition(":")
        self._patience_s = patience_s
        self._heard_s: float | None = None

    def silent(self) -> bool:
        """Look once; tell whether nobody has answered for the time of patience, although somebody had before."""
        now_s = time.monotonic()
        if answers(self._host.strip("[]"), self._port):
            self._heard_s = now_s
        return self._heard_s is not None and now_s - self._heard_s > self._patience_s


def addresses(name: str, port: str) -> list[str]:
    """Return all addresses of a name, each once; none while nobody knows it."""
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def answers(address: str, port: str) -> bool:
    """Tell whether somebody accepts a connection there."""
    try:
        with socket.create_connection((address, int(port)), timeout=_CONNECT_S):
            return True
    except OSError:
        return False


def _written(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
