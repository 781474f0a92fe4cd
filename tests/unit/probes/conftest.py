"""No live run is left over from one test to the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kube import live


@pytest.fixture(autouse=True)
def no_live_run() -> Iterator[None]:
    live.activate(None)
    yield
    live.activate(None)
