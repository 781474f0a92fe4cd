"""``report.json``: one model that holds everything the pages show, so that HTML, Markdown and JUnit are functions of it alone.

Times ending in ``_s`` are seconds after the fault acted (``t_fault``; negative: before) unless a docstring says otherwise; ``started`` and
the like are UTC in ISO 8601. ``null`` means "not measured" or "not applicable", never zero.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from history.budgets import Budgets
from history.layout import Advice
from history.plan import Expect, Floor
from history.result import AlertJudged, Check, Measurement, Verdict
from history.values import FrozenModel
from history.workloads import Slo
from reports.axis import Progress, TimeAxis
from reports.coverage import Coverage
from reports.failure import Failure, Release
from reports.instruments import Fault, LoadQuality
from reports.kept import ErrorSeen, LogExcerpt, SceneFile
from reports.known import KnownFail
from reports.past import Past
from reports.platform import Revision
from reports.retries import RetryComparison
from reports.risk import Risk, ShownWeakness
from reports.time_used import TimeUsed

REPORT_SCHEMA = 2
"""Version of ``report.json``; it rises when a field changes its meaning or goes away, not when one is added."""


class OutageSpan(FrozenModel):
    """One outage as users felt it; ``end_s`` null: not over when the record ended."""

    start_s: float
    end_s: float | None
    bad: int


class Buckets(FrozenModel):
    """Arrivals by when the user asked: bucket ``i`` is [from_s + i·width_s, … + width_s), the last one reaches to ``to_s``.

    Latency null: nothing was answered. ``min_ms`` and ``max_ms`` are true extremes of the bucket, so drawing them hides no spike.
    """

    from_s: float
    width_s: float
    to_s: float
    offered: tuple[int, ...]
    bad: tuple[int, ...]
    min_ms: tuple[float | None, ...]
    p50_ms: tuple[float | None, ...]
    p95_ms: tuple[float | None, ...]
    max_ms: tuple[float | None, ...]


class Gauge(FrozenModel):
    """A sampled series: the largest value of each bucket (null: no sample)."""

    name: str
    from_s: float
    width_s: float
    values: tuple[float | None, ...]


class Timeline(TimeAxis):
    """What the plot of requests shows. ``fine`` is as narrow as it resolves, ``coarse`` wide enough for rates, ``table`` for reading."""

    fine: Buckets
    coarse: Buckets
    table: Buckets
    gauges: tuple[Gauge, ...]


class Trial(FrozenModel):
    """One run of one experiment."""

    run_id: str
    path: str  # the run folder
    trial: int
    verdict: Verdict
    sentence: str
    complete: bool
    counts_as: Verdict  # PASS if the verdict is the expected one, else at least INCONCLUSIVE
    started: str
    duration_s: float
    needed_s: float | None = None  # what it could not do without; null: an older report
    spent: dict[str, float] = Field(default_factory=dict)  # by phase (s)
    seed: int
    command: str
    rto_s: float | None
    rto_censored: bool  # rto_s is a lower bound
    rto_low_s: float | None  # the RTO lies between low and high, with a confidence of 95 % (null: training, or an older verdict)
    rto_high_s: float | None  # null: nothing bounds it
    rto_resolution_s: float | None
    margin: float | None  # smallest share of a budget that was left (negative: over)
    budgets: Budgets
    slo: Slo | None  # null: the run followed a training job
    fault: Fault
    checks: tuple[Check, ...]
    measurements: tuple[Measurement, ...]
    outages: tuple[OutageSpan, ...]
    load: LoadQuality | None
    errors: tuple[ErrorSeen, ...]  # the commonest
    advice: tuple[Advice, ...] | None = None  # likely causes of a FAIL; null: it is none, or nobody could look; empty: none was found
    error_texts: int = 0  # how many different ones there were
    floor: Floor | None  # null: no timer of the platform bounds recovery
    scene: tuple[SceneFile, ...]
    excerpt: LogExcerpt | None = None  # around the first error in the logs of what the fault met; null: none was kept, or none shows one
    torn: tuple[str, ...]  # files of the history whose last line was cut off
    timeline: Timeline | None  # null: no arrival to draw
    training: Progress | None = None  # null: the run offered requests, or no step was done
    alerts: tuple[AlertJudged, ...] = ()  # rules of Prometheus that the target file names, and what became of each

    def measured(self, name: str) -> Measurement | None:
        """Return the measurement called ``name``, if it was made."""
        return next((m for m in self.measurements if m.name == name), None)

    def value(self, name: str) -> float | None:
        """Return the value of the measurement ``name``; null if it was not made or not measurable."""
        measurement = self.measured(name)
        return measurement.value if measurement else None


class Experiment(FrozenModel):
    """One experiment and its trials on one platform, worst first; ``verdict`` and ``sentence`` are those of the worst trial."""

    id: str
    title: str
    tags: tuple[str, ...]
    verdict: Verdict
    counts_as: Verdict
    sentence: str
    description: str
    hypothesis: str
    hypothesis_expects: dict[str, str]  # probe -> its tolerance, in words
    hypothesis_left_out: tuple[str, ...]  # what the target has not, each with the reason
    workload: str
    profile: str
    expect: Expect
    supports: str  # what the number of trials supports, statistically
    health_asked: dict[str, str] = Field(default_factory=dict)  # role -> through what its replicas were asked for their health
    platform: str = ""  # digest of the platform that all its trials met; empty: older runs, which do not say
    apart: str = ""  # why other trials of this experiment are no part of this set; empty: there are none
    margin: float | None
    margin_check: str
    trials: tuple[Trial, ...]


class NotTested(FrozenModel):
    """What this report is silent about, and why."""

    id: str
    title: str = ""
    kind: Literal["refused", "skipped", "unreadable"]
    asked: bool = False  # of what was skipped: the target has all that it needs, and there was no time for it
    reason: str


class RunInfo(FrozenModel):
    """The night as a whole. Values that differ between runs are all listed."""

    id: str
    title: str
    started: str | None
    finished: str | None
    duration_s: float | None
    target: tuple[str, ...]
    context: tuple[str, ...]
    server: tuple[str, ...]
    namespaces: tuple[str, ...]
    fidelity: dict[str, str]
    seed: tuple[int, ...]
    profile: tuple[str, ...]
    load: tuple[str, ...]
    answers: tuple[str, ...]  # what was checked of the answers to requests, and what was not
    commit: str | None
    versions: dict[str, str]
    command: str


class Definition(FrozenModel):
    """The definition of one measurement or check, from its function's docstring."""

    name: str
    text: str


class Report(FrozenModel):
    """``report.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    schema_version: int = Field(default=REPORT_SCHEMA, alias="schema")
    run: RunInfo
    verdict: Verdict
    sentence: str
    incomplete: str = ""  # that not everything was run, and why; ``sentence`` and ``harm`` begin with it
    summary: str  # how many held, how many not, the tightest margin
    harm: str = ""  # the night in a sentence, by harm; empty: no run could be shown, or an older report
    confidence: str = ""  # what the verdicts rest on
    release: Release | None = None  # null: older reports
    failures: tuple[Failure, ...] = ()  # a line for each experiment that did not come out as expected
    experiments: tuple[Experiment, ...]  # FAIL and INCONCLUSIVE by harm, then the tightest margin first
    coverage: Coverage | None = None  # null: older reports
    platforms: tuple[Revision, ...] = ()  # that the runs met
    time: TimeUsed | None = None  # null: no run could be shown, or an older report
    retries: tuple[RetryComparison, ...] = ()  # faults that were met by clients of several retry policies
    risks: tuple[Risk, ...] = ()
    weaknesses: tuple[ShownWeakness, ...] | None = None  # null: older runs, in which nobody looked
    not_tested: tuple[NotTested, ...]
    known_fails: tuple[KnownFail, ...] = ()  # what waivers say
    waiver_notes: tuple[str, ...] = ()  # waivers that may not be needed any more
    past: Past | None = None  # what earlier nights say; null: nobody asked
    definitions: tuple[Definition, ...]
