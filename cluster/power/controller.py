"""The power controller: the place of the machines' BMCs. It outlives its callers and brings everything back by itself.

`python -m cluster.power.controller NAME` is started by `up` under a supervisor. It answers one JSON line a connection:
{"do": "power-off", "node": "gpu-a", "for_s": 90} and likewise power-on, gpu-fail, gpu-repair (with "gpu": 0); of the control plane
{"do": "control-plane-stop", "part": "api-server", "for_s": 60} and control-plane-start.
"""

import json
import logging
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cluster.config import ClusterConfig
from cluster.errors import ClusterError
from cluster.machines import machine
from cluster.machines.control_plane import PARTS
from cluster.machines.node import GPU_FOLDER, GPU_OK
from cluster.machines.power_switch import power_off, power_on
from cluster.power import outages
from cluster.power.client import Request
from cluster.power.held_down import Keeper, kill_parts
from cluster.state import State

_IDLE_S = 1.0
_CLIENT_TIMEOUT_S = 2.0
_RETRY_S = 1.0

log = logging.getLogger("power")


class Controller:
    """Owns the outages; every change is saved before it is made real."""

    def __init__(self, config: ClusterConfig, state: State) -> None:
        self.config = config
        self.state = state
        self.outages = outages.load(state)
        self.verbs: dict[str, Callable[[Request], None]] = {
            "power-off": self._power_off,
            "power-on": self._power_on,
            "gpu-fail": self._gpu_fail,
            "gpu-repair": self._gpu_repair,
            "control-plane-stop": self._stop_part,
            "control-plane-start": self._start_part,
        }

    def resume(self) -> None:
        """Make real what was saved: a predecessor may have died between saving and doing."""
        for name in self.outages.nodes_off():
            power_off(self.config, self.state, name)
        for node in self.config.nodes:
            self._show_gpus(node.name)

    def answer(self, request: Request) -> dict[str, str | None]:
        """Do what a caller asks; return {"until": …} or {"error": …}."""
        try:
            verb, name = self.verbs[request["do"]], self._named(request)
            verb(request)
        except ClusterError as error:
            return {"error": str(error)}
        except (KeyError, TypeError, ValueError) as error:
            return {"error": f"the power controller does not understand {request}: {error!r}."}
        log.info("%s", request)
        outage = self.outages.current.get((name, request.get("gpu")))
        return {"until": outage.until if outage else None}

    def _named(self, request: Request) -> str:
        """Return the node or the part of the control plane that is meant; raise ClusterError if there is none of that name."""
        if not request["do"].startswith("control-plane-"):
            return self.config.node(request["node"]).name
        if request["part"] not in PARTS:
            raise ClusterError(f"the control plane has no part {request['part']!r}; it has {', '.join(PARTS)}.")
        return request["part"]

    def end_due(self) -> None:
        """Bring back whatever's time is over, machines at the same time, as machines do; what fails is tried again a second later."""
        due = self.outages.due(outages.now_s())
        if not due:
            return
        for outage in due:
            log.info("the outage of %s%s is over", outage.node, "" if outage.gpu is None else f" GPU {outage.gpu}")
        with ThreadPoolExecutor(len(due)) as pool:
            problems = list(pool.map(self._boot, due))
        for outage, problem in zip(due, problems, strict=True):
            if problem:
                log.error("%s; trying again", problem)
                self._begin(outage.node, outage.gpu, _RETRY_S)  # never a part: nothing is done for its end
            else:
                self._ended(outage.node, outage.gpu)

    def _boot(self, outage: outages.Outage) -> str:
        """Boot the node, if it is one that is out; return why it could not be done."""
        try:
            if outage.gpu is None and not outage.part:  # what was held down starts by itself
                power_on(self.config, self.state, outage.node, self.outages.failed_gpus(outage.node))
        except ClusterError as error:
            return str(error)
        return ""

    def wait_s(self) -> float:
        """Return how long there is nothing to do unless a caller comes."""
        deadline_s = self.outages.next_deadline_s()
        return _IDLE_S if deadline_s is None else min(max(deadline_s - outages.now_s(), 0.0), _IDLE_S)

    def _begin(self, node: str, gpu: int | None, for_s: float, *, part: bool = False) -> None:
        self.outages.begin(node, gpu, for_s, outages.now_s(), part=part)
        outages.save(self.state, self.outages)

    def _end(self, node: str, gpu: int | None) -> None:
        if gpu is None:
            power_on(self.config, self.state, node, self.outages.failed_gpus(node))
        self._ended(node, gpu)

    def _ended(self, node: str, gpu: int | None) -> None:
        self.outages.end(node, gpu)
        outages.save(self.state, self.outages)
        if gpu is not None:
            self._show_gpus(node)

    def _power_off(self, request: Request) -> None:
        self._begin(request["node"], None, float(request["for_s"]))
        power_off(self.config, self.state, request["node"])

    def _power_on(self, request: Request) -> None:
        self._end(request["node"], None)

    def _gpu_fail(self, request: Request) -> None:
        self._begin(request["node"], self._gpu(request), float(request["for_s"]))
        self._show_gpus(request["node"])

    def _gpu_repair(self, request: Request) -> None:
        self._end(request["node"], self._gpu(request))

    def _stop_part(self, request: Request) -> None:
        self._begin(request["part"], None, float(request["for_s"]), part=True)
        kill_parts(self.state, [request["part"]])

    def _start_part(self, request: Request) -> None:
        self._ended(request["part"], None)

    def _gpu(self, request: Request) -> int:
        index, count = int(request["gpu"]), self.config.node(request["node"]).gpus
        if not 0 <= index < count:
            raise ClusterError(f"node {request['node']} has no GPU {index}: it has {count}, counted from 0.")
        return index

    def _show_gpus(self, node: str) -> None:
        """Let the node's devices be as its outages say; a node without power learns it when it boots."""
        process = machine.process_of(self.state, node)
        if process is None:
            return
        failed = self.outages.failed_gpus(node)
        for i in range(self.config.node(node).gpus):
            status = Path(f"/proc/{process.pid}/root{GPU_FOLDER}/GPU-{i}/status")
            if i in failed:
                status.unlink(missing_ok=True)
            elif not status.exists():
                status.write_text(GPU_OK)


def serve(controller: Controller, listener: socket.socket) -> None:
    """Answer callers and end outages, for ever."""
    while True:
        listener.settimeout(max(controller.wait_s(), 0.001))
        try:
            connection = listener.accept()[0]
        except TimeoutError:
            controller.end_due()
            continue
        with connection:
            _serve_one(controller, connection)
        controller.end_due()


def _serve_one(controller: Controller, connection: socket.socket) -> None:
    connection.settimeout(_CLIENT_TIMEOUT_S)
    try:
        line = connection.makefile("r").readline()
        if not line.endswith("\n"):
            return  # the caller died before it had said all
        reply = controller.answer(json.loads(line))
        connection.sendall(json.dumps(reply).encode() + b"\n")
    except (OSError, ValueError) as error:  # a caller that left, or said no JSON, is no reason to stop
        log.warning("a caller was lost: %r", error)


def main() -> None:
    """Serve the cluster that the command line names."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    state = State(sys.argv[1])
    controller = Controller(state.load_config(), state)
    controller.resume()
    Keeper(state, controller.outages.parts_down).start()
    state.socket.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(state.socket))
    state.socket.chmod(0o600)
    listener.listen(16)
    serve(controller, listener)


if __name__ == "__main__":
    main()
