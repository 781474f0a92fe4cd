"""``verdict.json``: what :mod:`verdict` concludes about one run, and :mod:`reports` shows."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import Field

from history.layout import Advice
from history.plan import Expect
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

    @property
    def label(self) -> str:
        """Return its name, and whose it is where several workloads drive the run."""
        return f"{self.name} of {self.workload}" if self.workload else self.name


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


class AlertOutcome(StrEnum):
    """What became of one alerting rule in a run."""

    RIGHT = "right"  # it told of the failure that it is meant for, in time
    LATE = "late"  # it told, but later than it may
    UNTOLD = "fired but nobody was told"  # it fired in time, and Alertmanager did not notify the suite's receiver
    MISSING = "missing"  # users were harmed for long enough, and it did not tell
    FALSE = "false"  # it fired in a control run, or where no role was hit that it is meant for
    SILENT = "silent"  # it was not to fire, and did not
    TOO_SHORT = "fault too short for it"  # users' harm was over before it had to tell: nothing is known of it
    UNKNOWN = "not known"


class AlertJudged(FrozenModel):
    """One alerting rule and what became of it.

    ``firing_s``: seconds after the fault; null: it did not fire. ``notified_s``: likewise, when Alertmanager told of it; null: it did not,
    or it was not ``awaited``, since the target file names no receiver.
    """

    rule: str
    group: str
    roles: tuple[str, ...]
    outcome: AlertOutcome
    sentence: str
    firing_s: float | None = None
    notified_s: float | None = None
    awaited: bool = False
    harm_s: float | None = None  # how long users were harmed without a break, at most
    allowed_s: float

    @property
    def told_s(self) -> float | None:
        """When it told (s after the fault): by its notification where that is awaited, else by firing; ``None``: it did not."""
        return self.notified_s if self.awaited else self.firing_s


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

    alerts: tuple[AlertJudged, ...] = ()  # rules of Prometheus that the target file names

    def measurement(self, name: str) -> Measurement | None:
        """Return the measurement called ``name``, if it was made."""
        return next((m for m in self.measurements if m.name == name), None)

    def value(self, name: str) -> float | None:
        """Return what the measurement called ``name`` came to, ``None`` if it was not made or came to nothing."""
        found = self.measurement(name)
        return found.value if found else None


def as_expected(verdict: RunVerdict, expect: Expect) -> bool:
    """Tell whether a verdict is the expected one, by the expected check if one is named."""
    named = expect.check is None or any((check.name, check.verdict) == (expect.check, expect.verdict) for check in verdict.checks)
    return verdict.verdict == expect.verdict and named


def counts_as(verdict: RunVerdict, expect: Expect) -> Verdict:
    """Return PASS if the run came out as its plan expects, its own verdict otherwise, and FAIL for a weakness that was not caught."""
    if as_expected(verdict, expect):
        return Verdict.PASS
    return Verdict.FAIL if verdict.verdict is Verdict.PASS else verdict.verdict


def write_verdict(verdict: RunVerdict, run_dir: Path) -> Path:
    """Write ``verdict.json`` into ``run_dir``, whole or not at all, and return its path."""
    path, part = run_dir / "verdict.json", run_dir / "verdict.json.part"
    part.write_text(verdict.model_dump_json(indent=1), encoding="utf-8")
    part.rename(path)
    return path
