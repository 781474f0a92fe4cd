"""Ways of pytest into a session that experiments do not go: each is refused in a sentence, before anything is collected."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

import pytest

NO_RERUNS = "a run is never repeated in place of another: leave pytest's reruns out, and ask for --chaos-trials=N, all of which are shown"


def refuse_ways(config: pytest.Config) -> None:
    """Refuse what experiments cannot be run by. Raises pytest.UsageError: it was asked for."""
    for refuse in (_refuse_xdist, _refuse_reruns, _refuse_half_runs, _refuse_no_texts):
        refuse(config)


def _refuse_xdist(config: pytest.Config) -> None:
    """Refuse pytest-xdist in each of its spellings: ``-n``, and ``--dist`` with ``--tx``."""
    asked: Any = config.getoption("numprocesses", None) or getattr(config, "workerinput", None)
    if asked or config.getoption("dist", "no") != "no":
        raise pytest.UsageError(
            "experiments run one after another, since faults must not overlap: run without -n and --dist (pytest-xdist)"
        )


def _refuse_reruns(config: pytest.Config) -> None:
    """Refuse what pytest-rerunfailures would do, by option or ini file; other plugins' reruns are met when they come."""
    asked: Any = config.getoption("reruns", None)
    with suppress(ValueError):  # no such key: the plugin is not installed
        asked = asked or config.getini("reruns")
    if asked:
        raise pytest.UsageError(f"--reruns {asked}: {NO_RERUNS}")


def _refuse_half_runs(config: pytest.Config) -> None:
    """Refuse to set up without running: the setup of an experiment starts its run, which nobody would follow."""
    if config.getoption("setuponly", default=False):  # --setup-plan implies it
        raise pytest.UsageError(
            "--setup-only and --setup-plan would start runs and not follow them: --chaos-dry-run says what would be touched, "
            "--collect-only what would break what"
        )


def _refuse_no_texts(_config: pytest.Config) -> None:
    if sys.flags.optimize > 1:
        raise pytest.UsageError("PYTHONOPTIMIZE=2 (python -OO) takes away the texts from which the report's definitions come: unset it")
