"""Which experiments a session runs when it names none: all of them in the full profile, those tagged ``smoke`` in the others."""

from __future__ import annotations

import pytest

from runner.item import KEY, ExperimentItem

SMOKE, FULL = "smoke", "full"


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
