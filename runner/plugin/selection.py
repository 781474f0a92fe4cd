"""Which experiments a session runs, and what becomes of those selected that are wrong or that the target has nothing for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from history.errors import ConfigError
from runner.experiment.absence import why_skipped
from runner.experiment.steady_state import for_target
from runner.plugin.items import ExperimentItem, WrongFile
from runner.plugin.session import KEY
from target.target import Target

SMOKE, FULL = "smoke", "full"


def is_experiment(file: Path) -> bool:
    """Tell whether a file of an experiments folder is one: YAML, or JSON that Chaos Toolkit would take for one (refused by name)."""
    if file.suffix != ".json":
        return file.suffix in {".yaml", ".yml"}
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and "method" in found


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect experiments without the tag ``smoke``, where ``pytest -m chaos`` says nothing more than that.

    A folder (``-m "chaos and training"``), a name (``-k``), a folder of the user's own and the full profile mean what they say.
    """
    named = config.getoption("keyword") or config.getoption("--chaos-experiments") or config.getoption("markexpr") != "chaos"
    if named or config.stash[KEY].options.profile == FULL:
        return
    left = [item for item in items if isinstance(item, ExperimentItem) and SMOKE not in item.experiment.document.tags]
    if left:
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=left)


def note_selected(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep which experiments this session is about: the report shows the others, too."""
    config.stash[KEY].selected = {item.experiment.id for item in items if isinstance(item, ExperimentItem)}


def fit_target(config: pytest.Config, items: list[pytest.Item]) -> dict[Path, str]:
    """Let be skipped what the target has nothing for; return the mistakes of the selected files that are wrong, by file."""
    target = config.stash[KEY].target
    mistakes = {item.path: item.mistake for item in items if isinstance(item, WrongFile)}
    for item in items:
        if isinstance(item, ExperimentItem) and target is not None:
            mistakes |= _fit(item, target)
    return mistakes


def _fit(item: ExperimentItem, target: Target) -> dict[Path, str]:
    experiment = item.experiment
    if why_not := why_skipped(experiment, target):
        item.skip(why_not)
        return {}
    try:
        for_target(item.experiment, target)
    except ConfigError as error:
        return {item.path: str(error)}
    return {}


def refuse_wrong(config: pytest.Config, items: list[pytest.Item], mistakes: dict[Path, str]) -> None:
    """Make each wrong file a collection error that says file and line, so that nothing runs."""
    for path, mistake in mistakes.items():
        wrong = next(item for item in items if item.path == path)
        nodeid = wrong.parent.nodeid if wrong.parent else wrong.nodeid
        config.stash[KEY].malformed += 1
        config.hook.pytest_collectreport(report=pytest.CollectReport(nodeid, "failed", mistake, []))
    items[:] = [item for item in items if item.path not in mistakes]
