"""``verdict.json``: what :mod:`verdict` concludes about one run, and :mod:`reports` shows."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import Field

from history.layout import Advice
from history.schema import SCHEMA_VERSION
from history.values import FrozenModel


class Verdict(StrEnum):
    """PASS < INCONCLUSIVE < FAIL; the verdict of a run is the worst of its checks."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    INCONCLUSIVE = "INCONCLUSIVE"
    FAIL = "FAIL"


RANK = {Verdict.PASS: 0, Verdict.INCONCLUSIVE: 1, Verdict.FAIL: 2}


def worst(verdicts: list[Verdict]) -> Verdict:
    """Return the worst of ``verdicts``; no verdict at all is INCONCLUSIVE, since nothing was checked."""
    return max(verdicts, key=RANK.__getitem__, default=Verdict.INCONCLUSIVE)


class Check(FrozenModel):
    """One thing that was checked, with the sentence that a person reads."""

    name: str  # rto, availability, rpo_requests, latency, evidence, load, baseline, heal, hypothesis, history, ...
    verdict: Verdict
    sentence: str
    measured: float | None = None
    budget: float | None = None
    unit: str = ""
    margin: float | None = None  # 1 - measured/budget for upper bounds; share of the budget left
    resolution: float | None = None  # in unit
    low: float | None = None  # the truth lies between low and high, in unit, with a confidence of 95 %
    high: float | None = None
    censored: bool = False  # measured is a lower bound: "> measured"
    workload: str = ""  # whose it is, of a run that several drive


class Measurement(FrozenModel):
    """One number with its definition's name (a function of :mod:`verdict` whose docstring is the definition)."""

    name: str
    value: float | None  # null: not measurable, ``sentence`` says why
    unit: str
    sentence: str = ""
    censored: bool = False
    workload: str = ""  # whose it is, of a run that several drive


class LoadSummary(FrozenModel):
    """How well the load was offered."""

    offered_rps: float
    achieved_rps: float
    send_lag_p99_ms: float
    send_lag_max_ms: float
    cpu_share_max: float | None
    cap_hits: int
    scheduled: int
    recorded: int
    holes: int  # scheduled requests without a row


class FaultSummary(FrozenModel):
    """When the fault acted and how that is known (ns UTC; null: did not happen)."""

    started_ns: int | None
    confirmed_ns: int | None
    ended_ns: int | None
    evidence: tuple[str, ...]
    targets: tuple[str, ...]


class Outage(FrozenModel):
    """One user-visible outage (ns UTC, arrival-indexed)."""

    start_ns: int
    end_ns: int | None  # null: not recovered when the recording ended
    bad: int


class RunVerdict(FrozenModel):
    """``verdict.json``."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    verdict: Verdict
    sentence: str
    complete: bool  # false: the run was cut short
    checks: tuple[Check, ...]
    measurements: tuple[Measurement, ...]
    outages: tuple[Outage, ...] = ()
    load: LoadSummary | None = None
    fault: FaultSummary | None = None
    errors: dict[str, int] = Field(default_factory=dict)  # error text -> count
    advice: tuple[Advice, ...] | None = None  # likely causes of a FAIL, the likeliest first; none: it is no FAIL, or nobody could look

    def measurement(self, name: str) -> Measurement | None:
        """Return the measurement called ``name``, if it was made."""
        return next((m for m in self.measurements if m.name == name), None)

    def value(self, name: str) -> float | None:
        """Return what the measurement called ``name`` came to, ``None`` if it was not made or came to nothing."""
        found = self.measurement(name)
        return found.value if found else None


def write_verdict(verdict: RunVerdict, run_dir: Path) -> Path:
    """Write ``verdict.json`` into ``run_dir``, whole or not at all, and return its path."""
    path, part = run_dir / "verdict.json", run_dir / "verdict.json.part"
    part.write_text(verdict.model_dump_json(indent=1), encoding="utf-8")
    part.rename(path)
    return path
