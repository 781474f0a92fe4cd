"""How a command asks the power controller."""

import json
import socket
from typing import NotRequired, TypedDict

from cluster.errors import ClusterError
from cluster.host import pace
from cluster.host.wait import until_clear
from cluster.state import State

_ANSWER_TIMEOUT_S = 60.0
_START_TIMEOUT_S = 10.0


class Request(TypedDict):
    """What a node, one of its GPUs or a part of the control plane shall do, and for how long (s)."""

    do: str
    node: NotRequired[str]
    part: NotRequired[str]
    gpu: NotRequired[int]
    for_s: NotRequired[float]


def ask(state: State, request: Request) -> str | None:
    """Send one request and return until when it holds (UTC), None for an end; raise ClusterError if it is refused or nobody answers."""
    with _connect(state) as connection:
        connection.settimeout(pace.limit_s(_ANSWER_TIMEOUT_S))
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = connection.makefile("r").readline()
        except OSError as error:
            raise ClusterError(
                f"the power controller did not answer within {_ANSWER_TIMEOUT_S:g} s{pace.said()}: {error}; see {state.logs('host')}."
            ) from error
    if not line:
        raise ClusterError(f"the power controller went away while it was asked; see {state.logs('host')}/power.log.")
    reply = json.loads(line)
    if "error" in reply:
        raise ClusterError(reply["error"])
    until: str | None = reply["until"]
    return until


def _connect(state: State) -> socket.socket:
    """Connect; a controller that died is started again by its supervisor within a second."""
    connection = socket.socket(socket.AF_UNIX)
    sentence = f"no power controller answers at {state.socket}: `python -m cluster --name {state.name} up` starts it again."
    try:
        until_clear(lambda: connection.connect_ex(str(state.socket)), lambda _: sentence, _START_TIMEOUT_S)
    except ClusterError:
        connection.close()
        raise
    return connection
