"""What one pytest session knows of its experiments, from its options to its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.experiment.experiment import Experiment
from runner.plugin.options import Options
from runner.plugin.progress import Progress
from runner.session_record import Begun, Planned, SessionRecord
from target.target import Target

if TYPE_CHECKING:
    from reports.model import Report


@dataclass(slots=True)
class Session:
    """What this pytest session knows of its experiments."""

    options: Options
    progress: Progress
    target: Target | None = None
    target_error: str = ""
    malformed: int = 0
    run_dirs: list[Path] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)  # passed, waived, failed, inconclusive, refused, broken
    refused: list[tuple[str, str, str]] = field(default_factory=list)  # experiment, its title, why
    absent: list[tuple[str, str, str]] = field(default_factory=list)  # likewise: the target has nothing of what it needs
    no_time: list[tuple[str, str, str]] = field(default_factory=list)  # likewise: --chaos-max-minutes left it out
    risks: dict[str, list[str]] = field(default_factory=dict)  # weaknesses that refusals showed, as sentences -> experiments
    at_hand: dict[str, Experiment] = field(default_factory=dict)  # every experiment that was read, selected or not
    selected: set[str] = field(default_factory=set)
    planned: list[Planned] = field(default_factory=list)
    begun: list[Begun] = field(default_factory=list)
    record: SessionRecord | None = None  # None: nothing runs, or there is no place for it
    stopped: str = ""  # why it ended early, if it did
    report: Path | None = None
    built: Report | None = None  # what that page shows
    told: list[str] = field(default_factory=list)  # to whom it was told how the session ended, or why not
    time: str = ""  # how much of it was needed, in words; empty: no run could be shown
    night: str = ""  # what changed since earlier nights, in a sentence
    kept: str = ""  # where this night is kept, or why it is not
    estimates: list[str] = field(default_factory=list)  # how long each experiment takes, by past nights
    run_s: dict[str, float] = field(default_factory=dict)  # experiment -> how long one run takes
    foretold: list[str] = field(default_factory=list)  # what would break what, where experiments are only collected
    began_s: float | None = None  # monotonic: when the first run began
    regressed: list[str] = field(default_factory=list)  # beyond what --chaos-compare-fail allows
    unjudged: list[str] = field(default_factory=list)  # what it asked for and nobody could say


KEY: pytest.StashKey[Session] = pytest.StashKey()
