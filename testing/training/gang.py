"""The ranks of a run as real processes on 127.0.0.1, forked from a server that has torch loaded: as torchrun does, without its seconds."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from testing.training.run_summary import RunSummary
from workloads.storage.folder import FolderStore
from workloads.storage.server import free_port
from workloads.storage.store import Store
from workloads.training.checkpoint import shard
from workloads.training.checkpoint.catalog import survey
from workloads.training.checkpoint.manifest import Manifest
from workloads.training.errors import CheckpointRejected
from workloads.training.telemetry import ledger

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["workloads.training.__main__", "torch._dynamo"])  # the optimizer imports the latter
LIMIT_S = 180  # only reached when a test fails
SLOWLY = {"step_pause_s": 0.3}  # so that a test on a busy machine can do something to a run before its steps are done
NOTICE_S = 6  # they notice at once, unless the machine is busy or stands still
RUN = "test-run"


def _rank(environment: dict[str, str], log: str) -> None:
    os.environ.update(environment)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from workloads.training.__main__ import main  # noqa: PLC0415  the test process itself needs no torch

    code = main()
    sys.stderr.flush()
    os._exit(code)


@dataclass
class Gang:
    """One run below ``folder``; settings by name without the prefix."""

    folder: Path
    world: int = 2
    settings: dict[str, object] = field(default_factory=dict)
    stores: str = ""

    def __post_init__(self) -> None:
        self.checkpoints = self.folder / "checkpoints"
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        self.stores = self.stores or f"file://{self.checkpoints}"
        self.ledger = self.folder / "ledger.jsonl"
        self.log = self.folder / "log"
        self.restart = 0
        self.started: list[BaseProcess] = []

    def environment(self, **settings: object) -> dict[str, str]:
        given = {"run_id": RUN, "stores": self.stores, "ledger": f"file://{self.ledger}", **SMALL, **self.settings, **settings}
        return {
            f"TRAIN_{name.upper()}": {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)
            for name, value in given.items()
        }

    def launch(self, **settings: object) -> list[BaseProcess]:
        """Start the ranks, as torchrun would after so many restarts."""
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(self.world)}
        place |= {"TORCHELASTIC_RESTART_COUNT": str(self.restart), "TORCHELASTIC_MAX_RESTARTS": "9", "GLOO_SOCKET_IFNAME": "lo"}
        self.restart += 1
        # the server that ranks are forked from may be older than this test's credentials
        credentials = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        environment = self.environment(**settings) | place | credentials
        ranks: list[BaseProcess] = [
            _CONTEXT.Process(target=_rank, args=({**environment, "RANK": str(r), "LOCAL_RANK": str(r)}, str(self.log)))
            for r in range(self.world)
        ]
        for rank in ranks:
            rank.start()
        self.started += ranks
        return ranks

    def end(self) -> None:
        """Leave no rank behind, whatever a test did."""
        for rank in self.started:
            rank.kill()

    def wait(self, ranks: list[BaseProcess]) -> list[int | None]:
        """Wait until all ended; when one failed, the others get a few seconds to notice and are ended then, as torchrun's agent does."""
        limit, waiting = time.monotonic() + LIMIT_S, list(ranks)
        deadline = limit
        while waiting and time.monotonic() < deadline:
            connection.wait([rank.sentinel for rank in waiting], timeout=deadline - time.monotonic())
            waiting = [rank for rank in waiting if rank.exitcode is None]
            if any(rank.exitcode for rank in ranks):
                deadline = min(deadline, time.monotonic() + NOTICE_S)
        for rank in waiting:
            rank.kill()
            rank.join()
        assert time.monotonic() < limit, f"no rank ended within {LIMIT_S} s: {self.log.read_text()}"
        return [rank.exitcode for rank in ranks]

    def until(self, condition: Callable[[], object], ranks: list[BaseProcess]) -> None:
        """Wait until the condition holds, while every rank lives: of a dead gang nothing more can come."""
        while not condition():
            assert all(rank.exitcode is None for rank in ranks), self.log.read_text()
            ranks[0].join(0.005)

    def pause_after_a_checkpoint(self, ranks: list[BaseProcess]) -> None:
        """Stop all ranks, as a partition or a frozen node would, once a checkpoint is there."""
        self.until(self.loadable, ranks)
        self.signal(ranks, signal.SIGSTOP)

    def signal(self, ranks: list[BaseProcess], number: signal.Signals) -> None:
        for rank in ranks:
            os.kill(rank.pid or 0, number)

    def run(self, **settings: object) -> list[int | None]:
        return self.wait(self.launch(**settings))

    def finish(self, tries: int = 3, **settings: object) -> None:
        """Restart until the run is done, as torchrun would."""
        codes: list[int | None] = []
        for _ in range(tries):
            codes = self.run(**settings)
            if not any(codes):
                return
        raise AssertionError(f"not done after {tries} starts, exit codes {codes}: {self.log.read_text()}")

    def summary(self) -> RunSummary:
        return RunSummary(self.ledger.read_bytes())

    def rows(self, kind: str = "") -> list[dict[str, Any]]:
        text = self.ledger.read_text() if self.ledger.exists() else ""
        return [row for row in ledger.read(text) if not kind or row["kind"] == kind]

    def loadable(self) -> list[Manifest]:
        """All checkpoints on the volume that verify, newest first."""
        return loadable(FolderStore(str(self.checkpoints)))


SMALL: dict[str, object] = {
    "steps": 24,
    "interval": 6,
    "keep": 2,
    "batch": 12,
    "width": 16,
    "data": "synthetic:256",
    "digest_every": 6,
    "collective_timeout_s": 20,
}


def loadable(store: Store) -> list[Manifest]:
    good = []
    for found in survey(store, RUN).checkpoints:
        if found.manifest is None:
            continue
        try:
            shard.read_all(store, found.manifest, "sealed", verify=True)
        except CheckpointRejected:
            continue
        good.append(found.manifest)
    return good


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
