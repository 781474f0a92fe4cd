"""What a plot of a run shows beside measured values: time, rows of bars, marks; and the steps of a training job on it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from history.values import FrozenModel


class Bar(FrozenModel):
    """A span of one state on a lane; ``to_s`` null: still so at the end of the record."""

    from_s: float
    to_s: float | None
    state: Literal["fault", "outage", "ready", "serving", "unready", "cordoned", "green", "phase", "firing", "pending"]
    label: str = ""


class Lane(FrozenModel):
    """One row of bars above the charts."""

    name: str
    group: Literal["fault", "users", "health", "alert", "phase", "node", "pod"]
    bars: tuple[Bar, ...]


class MarkName(StrEnum):
    """The vertical lines through all charts."""

    FAULT = "fault"
    IMPACT = "first impact"
    DETECTED = "detected"
    RECOVERED = "recovered"
    DEADLINE = "budget"


class Mark(FrozenModel):
    """A moment marked through all charts."""

    name: MarkName
    t_s: float


class TimeAxis(FrozenModel):
    """What every plot of a run has: its time, the rows of bars above the charts, and the vertical marks through them."""

    zero: Literal["the fault", "observation began", "the load began"]  # what happened at t = 0
    from_s: float
    to_s: float
    lanes: tuple[Lane, ...]
    lanes_unchanged: tuple[str, ...]  # objects whose state never changed: not drawn
    lanes_left_out: int  # changed, but over the limit of rows
    marks: tuple[Mark, ...]


class Attempt(FrozenModel):
    """One start of a training job: the steps that all its ranks did; until ``replayed_to_s`` (null: never) they had been done before."""

    attempt: int
    from_s: float
    from_step: int  # of the checkpoint that it went on from; 0: from nothing
    t_s: tuple[float, ...]
    step: tuple[int, ...]
    replayed_to_s: float | None
    lost_steps: int


class Saved(FrozenModel):
    """A checkpoint: when it was saved, or when a start passed it over, and what became of it."""

    t_s: float
    step: int
    state: Literal["verified", "verified in part", "not saved", "passed over"]
    note: str = ""


class Progress(TimeAxis):
    """What the plot of a training job shows."""

    attempts: tuple[Attempt, ...]
    checkpoints: tuple[Saved, ...]
