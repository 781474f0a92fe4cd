"""Whole sessions of ``pytest -m chaos`` on the reference platform of the embedded cluster, each in processes of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kube.client import Platform, connect
from runner.cleanup.cleanup import clean_up
from runner.cleanup.leftovers import find_leftovers
from target.target import load_target
from testing.runs.real_sessions import LOCAL, Suite, unhealthy
from testing.waiting import wait_for


@pytest.fixture(scope="session")
def platform() -> Platform:
    return connect(load_target(LOCAL))


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Suite]:
    made = Suite(tmp_path)
    yield made
    made.close()
    assert made.below_floor() == []


@pytest.fixture(autouse=True)
def healthy(platform: Platform) -> Iterator[None]:
    """Start from a healthy platform on which nothing is left, and leave it so."""
    wait_for(lambda: not unhealthy(platform), "the reference platform is healthy")
    yield
    wait_for(lambda: not unhealthy(platform), "the reference platform is healthy again")
    left = find_leftovers(platform)
    if left.journals or left.cordons:
        clean_up(platform)
        pytest.fail(f"the test left {left}")
