"""The launcher: refusals before anything is loaded, torchrun's command line, and one run by torchrun itself that loses a rank."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from testing.training.gang import Gang, contents
from workloads.training.launch import torchrun
from workloads.training.settings import from_environment

ROOT = Path(__file__).resolve().parents[3]


ARGV = [sys.executable, "-m", "workloads.training.launch"]


def _launch(gang: Gang, **settings: object) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRAIN_")}
    return subprocess.run(
        ARGV, cwd=ROOT, env=environment | gang.environment(**settings), capture_output=True, text=True, timeout=300, check=False
    )


def test_torchrun_restarts_a_killed_rank_to_the_same_bits(gang: Gang, reference: str) -> None:
    done = _launch(gang, ranks_per_pod=2, failpoints="save.before_manifest@step=12@restart=0=kill", max_restarts=2, relaunches=0)
    assert done.returncode == 0, done.stderr
    summary = gang.summary()
    assert [a.step for a in summary.attempts] == [0, 6]
    assert summary.final_digest == reference
    assert summary.flawless


def test_a_finished_run_is_not_waited_for(gang: Gang) -> None:
    gang.finish()
    before = contents(gang.folder)
    done = _launch(gang, nodes=3, rendezvous="127.0.0.1:1")
    assert done.returncode == 0
    assert "the run is finished" in done.stderr
    assert contents(gang.folder) == before


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"stores": "file:///no/such/volume"}, "there is no such folder; mount the volume"),
        ({"stores": "ftp://x"}, "expected file:///folder or s3://"),
        ({"nodes": "1:3"}, "two halves of a cut network"),
        ({"ledger": "somewhere"}, "TRAIN_LEDGER"),
        ({"failpoints": "never=kill"}, "failpoint 'never=kill'"),
        ({"verify": "perhaps"}, "expected on or off"),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(gang: Gang, settings: dict[str, object], sentence: str) -> None:
    before = contents(gang.folder)
    done = _launch(gang, **settings)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(gang.folder) == before


def test_the_command_line_in_a_pod() -> None:
    settings = from_environment(
        {
            "TRAIN_RUN_ID": "r",
            "TRAIN_STORES": "file:///a",
            "TRAIN_LEDGER": "x",
            "TRAIN_NODES": "2:3",
            "TRAIN_RENDEZVOUS": "trainer-0.trainer:29400",
        }
    )
    argv = torchrun(settings, {"JOB_COMPLETION_INDEX": "0", "POD_IP": "10.0.0.7"}, "10.0.0.7:29400")
    assert argv[argv.index("--nnodes") + 1] == "2:3"
    assert argv[argv.index("--rdzv-endpoint") + 1] == "10.0.0.7:29400"
    assert argv[argv.index("--rdzv-conf") + 1] == "read_timeout=20,is_host=1"
    assert argv[argv.index("--local-addr") + 1] == "10.0.0.7"
    assert argv[-2:] == ["-m", "workloads.training"]
    assert torchrun(settings, {"JOB_COMPLETION_INDEX": "2"}, "10.0.0.7:29400")[-3] == "read_timeout=20,is_host=0"
