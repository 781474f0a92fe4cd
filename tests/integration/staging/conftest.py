"""Tests on a cluster that the suite did not set up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kube.client import Platform, connect
from testing.platform.staging import NAME, Staging, standing
from testing.platform.targets import in_region
from testing.runs.real_sessions import Suite


@pytest.fixture(scope="session")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staging]:
    """Up once for all tests here."""
    with standing(NAME, tmp_path_factory.mktemp("staging")) as made:
        yield made


@pytest.fixture
def admin(staging: Staging) -> Platform:
    """Return the platform with all rights: for tests in which it is not the rights that are missing."""
    return connect(in_region(staging.target, **staging.all_rights))


@pytest.fixture
def suite(staging: Staging, tmp_path: Path) -> Iterator[Suite]:
    made = Suite(tmp_path)
    yield made
    made.close()
    assert made.below_floor() == []
