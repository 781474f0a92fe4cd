"""No live run is left over from one test to the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from safety import active_run


@pytest.fixture(autouse=True)
def no_live_run() -> Iterator[None]:
    active_run.activate(None)
    yield
    active_run.activate(None)
