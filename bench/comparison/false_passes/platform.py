"""What a case runs on, for both tools: the server, its address in the environment, and the experiment as a file."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from bench.comparison.false_passes.cases import Case
from bench.comparison.false_passes.parts import PID, URL, WITNESS, State
from testing.load.load_runs import scripted_server

HIT = "inference-a"
"""The pod that faults choose, whose server is the one that they stop: who waits for its answer then is on the target."""


@contextmanager
def platform_of(case: Case, folder: Path) -> Iterator[Path]:
    """Run the server of ``case`` until the block ends; yields the experiment's file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "experiment.yaml"
    file.write_text(yaml.safe_dump(case.document, sort_keys=False))
    State.reset()
    with scripted_server(folder / "truth.json", list(case.outages), "--clock", "start", "--pod", HIT) as server:
        os.environ[URL], os.environ[PID] = server.url, str(server.pid)
        os.environ[WITNESS] = str(folder / "witness")
        try:
            yield file
        finally:
            os.kill(server.pid, signal.SIGCONT)  # a stopped process would not end
            del os.environ[URL], os.environ[PID], os.environ[WITNESS]
