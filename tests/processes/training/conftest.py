from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.training.gang import Gang


@pytest.fixture
def gang(tmp_path: Path) -> Iterator[Gang]:
    gang = Gang(tmp_path)
    yield gang
    gang.end()


def _digest(folder: Path, world: int) -> str:
    gang = Gang(folder, world)
    assert not any(gang.run()), gang.log.read_text()
    digest = gang.summary().final_digest
    assert digest is not None
    return digest


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of the whole state of two ranks that nothing disturbed."""
    return _digest(tmp_path_factory.mktemp("reference"), 2)


@pytest.fixture(scope="session")
def reference_of_three(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _digest(tmp_path_factory.mktemp("reference3"), 3)
