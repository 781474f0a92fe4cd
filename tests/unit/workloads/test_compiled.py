"""When what the pods import is compiled: once, and again after packages were installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from workloads import compiled

PACKAGES = "lib/python3.11/site-packages"


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """An environment of its own, in which nothing is run but noted."""
    (tmp_path / PACKAGES).mkdir(parents=True)
    monkeypatch.setattr(compiled, "ENVIRONMENT", tmp_path)
    monkeypatch.setattr(compiled, "PYTHON", Path(sys.executable))
    noted: list[tuple[str, ...]] = []
    monkeypatch.setattr(compiled, "_run", lambda arguments, _settings: noted.append(arguments))
    return noted


def test_it_is_done_once_and_again_after_packages_were_installed(ran: list[tuple[str, ...]], tmp_path: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        compiled.compile_modules(said.append)
    assert [arguments[0] for arguments in ran] == ["-c", "-m"]
    marked_s = (tmp_path / ".compiled").stat().st_mtime
    os.utime(tmp_path / PACKAGES, (marked_s + 1, marked_s + 1))
    compiled.compile_modules(said.append)
    assert len(ran) == 4
    assert said == ["compiling the platform's Python modules"] * 2


def test_what_failed_is_tried_again(ran: list[tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise compiled.CompileFailed("no torch")

    monkeypatch.setattr(compiled, "_run", fail)
    with pytest.raises(compiled.CompileFailed, match="no torch"):
        compiled.compile_modules(lambda _said: None)
    assert not (tmp_path / ".compiled").exists()


def test_an_environment_that_is_not_there_is_named_with_the_command_that_makes_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(compiled, "PYTHON", tmp_path / "bin" / "python")
    with pytest.raises(compiled.CompileFailed, match="make platform"):
        compiled.compile_modules(lambda _said: None)
