"""``python -m runner.drivers.requests.load_relay RUN_DIR --worker K --parent PID``: one load worker in a pod, as if it ran here.

The main process of :mod:`workloads.load` starts it in a worker's place and sees no difference. It says what the worker says, hands the
origin on, drains on SIGTERM, and what the worker records grows in the run folder. The worker's clock is measured against this machine's
before it starts. A pod that is lost, or whose record arrives without its end, is a failure with a sentence: the record is not whole then.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO, cast

from history.clock import Offset, now_ns, offset_of
from history.errors import AftershockError
from history.plan import Plan
from history.reader import read_plan
from history.request_form import ClientCert
from history.schema import EventKind
from history.writer import EventLog
from kube.client import Platform, connect
from kube.containers import said_of
from runner.drivers.driver import WorkloadFailed
from runner.drivers.requests import load_pod
from runner.drivers.requests.load_pod import Lost, Stream
from runner.redact import RedactedStream, of_environment, of_target
from target.environment import target_of
from target.secrets.known import remember

TICK_S = 0.05
EXCHANGES = 8
PIECE_BYTES = 16_384
TABLES, SAID = ("requests", "events", "samples"), "said"
STDIN, STDOUT = 0, 1


class Relay:
    """One worker in one pod: its orders and what comes of them."""

    def __init__(self, run_dir: Path, worker: int, stream: Stream) -> None:
        self._dir, self._worker, self._stream = run_dir, worker, stream
        self._names = {f"{table}.load-{worker}.jsonl" for table in (SAID, *TABLES)}
        self._arrived = Counter[str]()
        self._stops = self._stops_sent = 0

    def measure(self) -> Offset:
        """Return how far the pod's clock is from this one's. Raises Lost."""
        return offset_of([self._exchange() for _ in range(EXCHANGES)])

    def _exchange(self) -> tuple[int, int, int]:
        asked = now_ns()
        self._stream.send(clock=True)
        while not (answer := self._stream.receive(TICK_S)):
            pass
        return asked, int(answer[0]["clock_ns"]), now_ns()

    def start(self, plan: Plan) -> None:
        """Hand over the run folder and start the worker. Raises Lost."""
        for name, data in files_of(self._dir, plan):
            for begin in range(0, len(data), PIECE_BYTES):
                self._stream.send(file=name, data=b64encode(data[begin : begin + PIECE_BYTES]).decode())
        environment = {
            name: os.environ[name] for name in plan.requests.load.variables()
        }  # by this way only: no object in the cluster holds a secret
        self._stream.send(worker=self._worker, environment=environment)

    def follow(self, parent_pid: int, origin: int = STDIN) -> int:
        """Keep what the worker records until it has ended, and return its exit code; descriptor ``origin`` says when it shall begin.

        Raises Lost: the worker is not heard any more, or its record is not whole.
        """
        origins = [origin]
        while True:
            for message in self._stream.receive(TICK_S):
                if "end" in message:
                    return self._end(message)
                self._keep(message["record"])
            if select.select(origins, [], [], 0)[0] and (text := os.read(origins.pop(), PIECE_BYTES).strip()):
                self._stream.send(origin=int(text))
            self._hand_on_stops(parent_pid)

    def stop(self, _number: int, _frame: object) -> None:
        """Let the worker drain; a second time cuts off what is open."""
        self._stops += 1

    def _hand_on_stops(self, parent_pid: int) -> None:
        if os.getppid() != parent_pid and not self._stops:
            self._stops = 1
        while self._stops_sent < self._stops:
            self._stops_sent += 1
            self._stream.send(stop=True)

    def _keep(self, record: dict[str, str]) -> None:
        for name in record.keys() & self._names:
            data = b64decode(record[name])
            self._arrived[name] += len(data)
            if name.startswith(SAID):
                os.write(STDOUT, data)
            else:
                with (self._dir / name).open("ab") as file:
                    file.write(data)

    def _end(self, message: dict[str, Any]) -> int:
        if not message["told"]:
            raise Lost("its node ended it before its time: it was deleted or evicted")
        if self._arrived != message["sent"]:
            raise Lost(f"it sent {message['sent']} bytes, here are {dict(self._arrived)}")
        return int(message["end"])


def files_of(run_dir: Path, plan: Plan) -> Iterator[tuple[str, bytes]]:
    """Yield the files of the run folder that a worker needs, with the plan's paths as they are in the pod."""
    load = plan.requests.load
    cert = load.client_cert
    files = {"prompts.jsonl": load.prompts}
    paths: dict[str, object] = {"prompts": f"{load_pod.FOLDER}/prompts.jsonl"}
    if load.ca_file:
        files["ca.pem"], paths["ca_file"] = load.ca_file, f"{load_pod.FOLDER}/ca.pem"
    if cert is not None:
        files |= {"client.pem": cert.cert, "client-key.pem": cert.key}
        paths["client_cert"] = ClientCert(cert=f"{load_pod.FOLDER}/client.pem", key=f"{load_pod.FOLDER}/client-key.pem")
    asked = plan.requests.model_copy(update={"load": load.model_copy(update=paths)})
    yield "plan.json", plan.model_copy(update={"workloads": (asked,)}).model_dump_json(by_alias=True).encode()
    yield "schedule.parquet", (run_dir / "schedule.parquet").read_bytes()
    for name, path in files.items():
        yield name, Path(path).read_bytes()


def carry_out(platform: Platform, run_dir: Path, worker: int, parent_pid: int) -> int:
    """Run one worker in a pod of its own and return its exit code. Raises WorkloadFailed: there is no pod, or it was lost."""
    plan = read_plan(run_dir)
    name = load_pod.name_of(plan.run_id, worker)
    load_pod.create(platform, plan, worker)
    try:
        node = load_pod.wait_running(platform, name).spec.node_name
        relay = Relay(run_dir, worker, load_pod.attach(platform, name))
        signal.signal(signal.SIGTERM, relay.stop)
        record_clock(run_dir, worker, str(node), relay.measure())
        relay.start(plan)
        return relay.follow(parent_pid)
    except Lost as lost:
        state = state_of(platform, name)
        raise WorkloadFailed(f"load pod {name} of worker {worker} was lost: {lost}; {state}; its record is not whole") from lost
    finally:
        load_pod.remove(platform, name)


def record_clock(run_dir: Path, worker: int, node: str, offset: Offset) -> None:
    """Write down how far the worker's clock is from this machine's."""
    log = EventLog(run_dir, f"relay-{worker}")
    offset_ms, error_ms = offset.offset_ns / 1e6, offset.error_ns / 1e6
    log.event(EventKind.CLOCK, f"load-{worker}", offset_ms=offset_ms, error_ms=error_ms, against=f"relay-{worker}", node=node)
    log.close()


def state_of(platform: Platform, name: str) -> str:
    """Return what Kubernetes says of a pod."""
    try:
        pod = load_pod.read(platform, name)
    except WorkloadFailed as error:
        return str(error)
    return f"on node {pod.spec.node_name}: {said_of(pod)}"


def main() -> int:
    """Parse, carry out, and say what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m runner.drivers.requests.load_relay", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--worker", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args()
    sys.stderr = cast("TextIO", RedactedStream(sys.stderr))
    try:
        target = target_of(os.environ)
        remember([*of_environment(os.environ), *of_target(target, os.environ)])
        platform = connect(target)
        return carry_out(platform, options.run_dir, options.worker, options.parent)
    except AftershockError as error:
        print(f"load: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
