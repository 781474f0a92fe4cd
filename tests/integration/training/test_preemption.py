"""SIGTERM to the launcher, through torchrun to the ranks: a checkpoint of that very step, then the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from testing.training.gang import Gang, loadable
from tests.integration.training.conftest import Bucket

ROOT = Path(__file__).resolve().parents[3]


def test_told_to_leave_it_saves_and_leaves(gang: Gang, bucket: Bucket) -> None:
    environment = os.environ | gang.environment(ranks_per_pod=2, step_pause_s=0.02, interval=1000, steps=100_000)
    argv = [sys.executable, "-m", "workloads.training.launch"]
    with subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as launcher:
        while len(gang.rows("step")) < 10:
            assert launcher.poll() is None
            time.sleep(0.05)
        launcher.terminate()
        assert launcher.wait(60) == 128 + signal.SIGTERM
    (saved,) = loadable(bucket.store)
    assert saved.step == max(row["step"] for row in gang.rows("step"))
