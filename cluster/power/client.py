"""How a command asks the power controller."""

import json
import socket
import time

from cluster.errors import ClusterError
from cluster.state import State

_ANSWER_TIMEOUT_S = 60.0
_START_TIMEOUT_S = 10.0


def ask(state: State, request: dict[str, object]) -> str | None:
    """Send one request and return until when it holds (UTC), None for an end; raise ClusterError if it is refused or nobody answers."""
    with _connect(state) as connection:
        connection.settimeout(_ANSWER_TIMEOUT_S)
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = connection.makefile("r").readline()
        except OSError as error:
            raise ClusterError(
                f"the power controller did not answer within {_ANSWER_TIMEOUT_S:g} s: {error}; see {state.logs('host')}."
            ) from error
    if not line:
        raise ClusterError(f"the power controller went away while it was asked; see {state.logs('host')}/power.log.")
    reply = json.loads(line)
    if "error" in reply:
        raise ClusterError(reply["error"])
    until: str | None = reply["until"]
    return until


def _connect(state: State) -> socket.socket:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(state.socket))
        except OSError as error:
            connection.close()
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"no power controller answers at {state.socket}: `python -m cluster --name {state.name} up` starts it again."
                ) from error
            time.sleep(0.1)  # its supervisor starts it again within a second
        else:
            return connection
