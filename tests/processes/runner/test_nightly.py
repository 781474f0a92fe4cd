"""`make nightly` in processes of its own: what it runs, and that a signal reaches the session through make and the night."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from testing.platform.fake_cluster import ROOT

PATIENCE_S = 180  # only reached when a test fails
HEALS = """
import pathlib, signal, sys, time
def end(number, frame):
    pathlib.Path(sys.argv[1], "healed").touch()
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[1], "runs").touch()
while True:
    time.sleep(0.05)
"""
NIGHT = "import sys; from runner.commands.nightly import run_session; sys.exit(run_session(sys.argv[1:]))"


SHOWS = 'for one in "$@"; do echo "<$one>"; done'


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def program(folder: Path, text: str) -> Path:
    """Write a program in the place of the suite's Python."""
    file = folder / "python"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


OURS = {"MAKEFLAGS", "MAKELEVEL", "TARGET", "SELECT", "NIGHTS", "STACKS", "AFTERSHOCK_TARGET"}


def make(*words: str, needs: str | None = "NEEDS=", **environment: str) -> subprocess.Popen[str]:
    command = ["make", "--no-print-directory", "nightly", *([needs] if needs is not None else []), *words]
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    return subprocess.Popen(command, cwd=ROOT, env=kept | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("by", ["the command line", "the environment"])
def test_make_hands_everything_on_as_it_was_written(tmp_path: Path, by: str) -> None:
    given = {"TARGET": "targets/x y.yaml", "SELECT": 'a or (b and not "c")', "CHAOS_MAX_MINUTES": "30", "NIGHTS": "s3://b/p?endpoint=u"}
    words = [f"{name}={value}" for name, value in given.items()] if by == "the command line" else []
    done = make(
        f"RUN={program(tmp_path, SHOWS)}",
        *words,
        "CHAOS_ARGS=--chaos-trials=2",
        **({} if words else given),
    )
    said, _ = done.communicate(timeout=PATIENCE_S)
    assert [line[1:-1] for line in said.splitlines() if line.startswith("<")] == [
        "-m", "runner", "nightly", "--target", "targets/x y.yaml", "--nights", "s3://b/p?endpoint=u", "--max-minutes", "30", "--",
        "-k", 'a or (b and not "c")', "--chaos-trials=2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "environment", "target"),
    [
        ((), {}, "targets/local.yaml"),
        (("STACKS=vllm",), {}, "targets/vllm.yaml"),
        ((), {"AFTERSHOCK_TARGET": "targets/theirs.yaml"}, "targets/theirs.yaml"),
        (("TARGET=targets/local.yaml",), {"AFTERSHOCK_TARGET": "targets/theirs.yaml"}, "targets/local.yaml"),
        ((), {"TARGET": "targets/local.yaml", "AFTERSHOCK_TARGET": "targets/theirs.yaml"}, "targets/local.yaml"),
    ],
)
def test_the_target_is_the_one_that_was_asked_for_and_only_the_embedded_cluster_is_set_up(
    words: tuple[str, ...], environment: dict[str, str], target: str
) -> None:
    planned, _ = make("--dry-run", *words, needs=None, **environment).communicate(timeout=PATIENCE_S)
    assert f'-m runner nightly --target "{target}"' in planned
    assert ("-m cluster --name local up" in planned) == (target != "targets/theirs.yaml")


def test_make_ends_with_2_and_says_the_code(tmp_path: Path) -> None:
    done = make(f"RUN={program(tmp_path, 'exit 10')}")
    said, _ = done.communicate(timeout=PATIENCE_S)
    assert (done.returncode, "Error 10" in said) == (2, True)


def test_sigterm_to_make_reaches_the_program_and_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "heals.py").write_text(HEALS)
    process = make(f"RUN={program(tmp_path, f'exec {sys.executable} {tmp_path}/heals.py {tmp_path}')}")
    wait_for((tmp_path / "runs").exists)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE_S)
    assert (tmp_path / "healed").exists()


def test_a_night_hands_a_signal_on_once_and_ends_with_the_code_of_its_session(tmp_path: Path) -> None:
    session = [sys.executable, "-c", HEALS, str(tmp_path)]
    process = subprocess.Popen([sys.executable, "-c", NIGHT, *session], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    wait_for((tmp_path / "runs").exists)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 7
    assert (tmp_path / "healed").exists()
