"""Rules for all tests: where skipping is forbidden (CI), a skipped test fails the session; two processes of tests take turns."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.runs.turns import Turns

_file = os.environ.pop("AFTERSHOCK_TURNS", None)
TURNS = Turns(Path(_file)) if _file else None
"""Two processes of tests know of each other through this file; what a test starts takes no turn of its own."""


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if not os.environ.get("AFTERSHOCK_NO_SKIP") or exitstatus != pytest.ExitCode.OK:
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "integration" in item.path.parts:
            item.add_marker(pytest.mark.integration)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Take turns with another process of tests, from the first fixture to the last."""
    if TURNS is None:
        return (yield)
    with TURNS.test(alone=_is_quiet(item), next_alone=nextitem is not None and _is_quiet(nextitem)):
        return (yield)


def _is_quiet(item: pytest.Item) -> bool:
    return item.get_closest_marker("quiet") is not None
