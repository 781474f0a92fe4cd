"""What an experiment's item notes of its run, and when."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.messages import Kind
from runner.plugin.items import ExperimentItem, Refused
from runner.plugin.recording import begin, state_of
from runner.session_record import NAME, Begun, SessionState, record_of


class OnDisk:
    """A record that keeps what was written last."""

    fd = 0

    def __init__(self) -> None:
        self.state: SessionState | None = None

    def write(self, state: SessionState) -> None:
        self.state = state


def item(tmp_path: Path, start: Callable[[OnDisk], None], refusal: str = "") -> Any:
    options = SimpleNamespace(command=lambda: "pytest -m chaos", nights="", root=tmp_path, max_s=None)
    chaos = SimpleNamespace(
        options=options, record=OnDisk(), planned=[], begun=[], refused=[], absent=[], no_time=[], risks={}, outcomes=[], began_s=None
    )
    made: Any = SimpleNamespace(
        chaos=chaos, refusal=refusal, risks=[], child=SimpleNamespace(start=start, end=lambda: 11, interrupted=False),
        experiment=SimpleNamespace(id="serving/a", document=SimpleNamespace(title="a")),
        request=SimpleNamespace(run_dir=tmp_path / "run", dry_run=False), _follow=lambda until: until is Kind.RESOLVED and not refusal,
    )  # fmt: skip
    made._refuse = partial(ExperimentItem._refuse, made)
    return made


def test_a_run_is_noted_before_its_process_starts(tmp_path: Path) -> None:
    noted: list[tuple[Begun, ...]] = []
    made = item(tmp_path, lambda record: noted.append(record.state.begun if record.state else ()))
    ExperimentItem.setup(made)
    assert noted == [(Begun(id="serving/a", path=tmp_path / "run"),)]
    assert made.chaos.begun == [Begun(id="serving/a", path=tmp_path / "run")]


def test_a_run_whose_process_cannot_start_is_a_refused_one(tmp_path: Path) -> None:
    def full(_record: OnDisk) -> None:
        raise OSError(28, "No space left on device")

    made = item(tmp_path, full)
    with pytest.raises(Refused, match="the run cannot begin"):
        ExperimentItem.setup(made)
    state = state_of(made.chaos)
    assert [(one.id, one.refused) for one in state.begun] == [("serving/a", True)]
    assert [(one.id, one.refused) for one in state.left_out] == [("serving/a", True)]


def test_a_run_that_preflight_refuses_is_marked_so(tmp_path: Path) -> None:
    made = item(tmp_path, lambda _record: None, refusal="no rights")
    with pytest.raises(Refused, match="no rights"):
        ExperimentItem.setup(made)
    assert [one.refused for one in made.chaos.begun] == [True]


def test_a_session_has_the_name_that_its_night_gave_it_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(NAME, "tonight")
    first, second = (item(tmp_path, lambda _record: None).chaos for _ in range(2))
    for chaos in (first, second):
        chaos.options.out, chaos.record = tmp_path, None
        begin(chaos, [])
    assert first.record.path == record_of(tmp_path, "tonight")
    assert second.record is None
    first.record.end()
    assert list((tmp_path / "sessions").iterdir()) == []
