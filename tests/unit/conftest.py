"""No live run is left from test to test: faults and probes find it through a value of the process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kube import live


@pytest.fixture(autouse=True)
def no_live_run() -> Iterator[None]:
    live.activate(None)
    yield
    live.activate(None)
