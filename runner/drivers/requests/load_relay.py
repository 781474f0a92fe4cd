"""``python -m runner.drivers.requests.load_relay RUN_DIR --worker K --parent PID``: one load worker in a pod, as if it ran here.

The crew of :mod:`workloads.load` starts it in a worker's place and sees no difference: it says what the worker says, hands the origin on,
drains on SIGTERM, and what the worker records grows in the run folder. The worker's clock is measured against this machine's before it
starts. A pod that is lost, or whose record arrives without its end, is a failure with a sentence: then the run has no whole record.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from faults.mechanisms.fault_pod import why
from history.clock import Offset, now_ns, offset_of
from history.errors import AftershockError
from history.plan import Plan
from history.reader import read_plan
from history.schema import EventKind
from history.wire import line, pieces
from history.writer import EventLog
from kube.client import Platform, connect
from runner.drivers.requests import load_pod
from runner.drivers.requests.load import LoadFailed
from runner.drivers.requests.load_stream import Lost, Stream, attach
from target.environment import target_of

TICK_S = 0.1
SILENT_S = 15.0  # the pod says every second that it is alive
EXCHANGES = 8
TABLES = ("requests", "events", "samples")


class Relay:
    """One worker in one pod: its orders and what comes of them."""

    def __init__(self, run_dir: Path, worker: int, stream: Stream) -> None:
        self._dir, self._worker, self._stream = run_dir, worker, stream
        self._files, self._open = dict[str, IO[bytes]](), ExitStack()
        self._allowed = {f"{table}.load-{worker}.jsonl" for table in TABLES}
        self._stops = 0

    def measure(self) -> Offset:
        """Return how far the pod's clock is from this one's. Raises Lost."""
        return offset_of([self._exchange() for _ in range(EXCHANGES)])

    def _exchange(self) -> tuple[int, int, int]:
        asked = now_ns()
        self._stream.send(line(clock=True))
        until_s = time.monotonic() + SILENT_S
        while time.monotonic() < until_s:
            for message, _ in self._stream.receive(TICK_S):
                return asked, int(message["clock_ns"]), now_ns()
        raise Lost(f"it did not say the time within {SILENT_S:.0f} s")

    def begin(self, plan: Plan) -> None:
        """Hand over the run folder and start the worker. Raises Lost."""
        for name, data in files_of(self._dir, plan):
            for part in pieces(name, data):
                self._stream.send(part)
        key = plan.load.api_key_env
        environment = {key: os.environ[key]} if key else {}  # by this way only: no object in the cluster holds a secret
        self._stream.send(line(begin=self._worker, environment=environment))

    def carry(self, parent_pid: int) -> int:
        """Carry messages both ways until the worker has ended; return its exit code. Raises Lost: it is not heard any more."""
        with self._open:
            return self._carry(parent_pid)

    def _carry(self, parent_pid: int) -> int:
        heard_s, asked = time.monotonic(), 0
        while True:
            for message, data in self._stream.receive(TICK_S, sys.stdin):
                heard_s = time.monotonic()
                if "end" in message:
                    return self._end(message)
                self._take(message, data)
            if time.monotonic() - heard_s > SILENT_S:
                raise Lost(f"nothing was heard of it for {SILENT_S:.0f} s")
            if os.getppid() != parent_pid and not self._stops:
                self._stops = 1
            while asked < self._stops:
                asked += 1
                self._stream.send(line(stop=True))

    def stop(self, _number: int, _frame: object) -> None:
        """Let the worker drain; a second time cuts off what is open."""
        self._stops += 1

    def _take(self, message: dict[str, Any], data: bytes) -> None:
        if "origin" in message:
            self._stream.send(line(origin=message["origin"]))
        elif "said" in message:
            print(message["said"], flush=True)
        elif message.get("file") in self._allowed:
            self._file(message["file"]).write(data)

    def _file(self, name: str) -> IO[bytes]:
        if name not in self._files:
            self._files[name] = self._open.enter_context((self._dir / name).open("ab", buffering=0))
        return self._files[name]

    def _end(self, message: dict[str, Any]) -> int:
        held = {name: file.tell() for name, file in self._files.items()}
        if not message["told"]:
            raise Lost("its node ended it before its time: it was deleted or evicted")
        if held != message["sent"]:
            raise Lost(f"it sent {message['sent']} bytes, here are {held}")
        return int(message["end"])


def files_of(run_dir: Path, plan: Plan) -> Iterator[tuple[str, bytes]]:
    """Yield the files of the run folder that a worker needs, with the plan's paths as they are in the pod."""
    paths = {"prompts": f"{load_pod.FOLDER}/prompts.jsonl"} | ({"ca_file": f"{load_pod.FOLDER}/ca.pem"} if plan.load.ca_file else {})
    there = plan.model_copy(update={"requests_load": plan.load.model_copy(update=paths)})
    yield "plan.json", there.model_dump_json(by_alias=True).encode()
    yield "schedule.parquet", (run_dir / "schedule.parquet").read_bytes()
    yield "prompts.jsonl", Path(plan.load.prompts).read_bytes()
    if plan.load.ca_file:
        yield "ca.pem", Path(plan.load.ca_file).read_bytes()


def carry_out(platform: Platform, run_dir: Path, worker: int, parent_pid: int) -> int:
    """Run one worker in a pod of its own and return its exit code. Raises LoadFailed: there is no pod, or it was lost."""
    plan = read_plan(run_dir)
    name = load_pod.name_of(plan.run_id, worker)
    load_pod.create(platform, plan, worker)
    try:
        node = load_pod.wait_running(platform, name).spec.node_name
        relay = Relay(run_dir, worker, attach(platform, name))
        signal.signal(signal.SIGTERM, relay.stop)
        record_clock(run_dir, worker, str(node), relay.measure())
        relay.begin(plan)
        return relay.carry(parent_pid)
    except Lost as lost:
        state = state_of(platform, name)
        raise LoadFailed(f"load pod {name} of worker {worker} was lost: {lost}; {state}; its record is not whole") from lost
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
    except LoadFailed as error:
        return str(error)
    return f"on node {pod.spec.node_name}: {why(pod)}"


def main() -> int:
    """Parse, carry out, and say what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m runner.drivers.requests.load_relay", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--worker", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args()
    try:
        platform = connect(target_of(os.environ))
        return carry_out(platform, options.run_dir, options.worker, options.parent)
    except AftershockError as error:
        print(f"load: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
