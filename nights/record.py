"""A night's record: what is compared with other nights, as pure data. Times are ns UTC; names ending in ``_s`` are seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

NIGHT_SCHEMA = 1
"""Version of ``night.json``; it rises when a field changes its meaning or goes away. Of a later one the runs are read instead."""
RTO, AVAILABILITY = "rto", "availability"


@dataclass(frozen=True, slots=True)
class Value:
    """A measured number of one run, with the 95 % interval that was recorded for it (``None``: none was, or nothing bounds that end)."""

    name: str  # of the check or measurement
    value: float
    unit: str = ""
    low: float | None = None
    high: float | None = None
    censored: bool = False  # a lower bound: the truth is larger
    budget: float | None = None
    workload: str = ""  # whose it is, of a run that several drive


@dataclass(frozen=True, slots=True)
class Conditions:
    """What two runs of one experiment must have in common to be compared; ``platform`` must be known, and may differ."""

    target: str
    workload: str  # the classes that drive it
    offered: str  # digest of what these offer and demand: load, SLO, job
    profile: str
    seed_policy: str  # ``drawn``, ``fixed at 7``; empty: an older run, nobody noted it
    digest: str  # of the experiment's file and of the hypothesis of its class
    platform: dict[str, str] = field(default_factory=dict)  # part -> digest: images, templates, configuration


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of one night."""

    night: str
    run_id: str
    experiment: str
    title: str
    trial: int
    started_ns: int
    duration_s: float  # from its plan to its last event
    verdict: str
    counts_as: str  # PASS if the verdict is the expected one
    complete: bool
    sentence: str
    conditions: Conditions
    versions: dict[str, str]
    values: tuple[Value, ...]
    failed: tuple[str, ...]  # names of the checks that are FAIL, each with its workload where several drive the run
    namespaces: dict[str, str] = field(default_factory=dict)  # role -> its namespace; empty: an older run
    touched: tuple[str, ...] = ()  # namespaces in which the fault acted or the workload runs
    gpus: int | None = None  # that the pods ask for which serve its workloads; none: an older run, or none of them was there before it

    def value(self, name: str, workload: str | None = None) -> Value | None:
        """Return the value called ``name``, if it was measured; of several workloads that of ``workload``, by default of the first."""
        return next((one for one in self.values if one.name == name and workload in {None, one.workload}), None)


@dataclass(frozen=True, slots=True)
class Unread:
    """A run, or a whole night, that could not be read, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Night:
    """A session that is kept. ``whole``: it was written to its end; otherwise ``runs`` are those that were found."""

    night: str
    started_ns: int
    runs: tuple[RunRecord, ...]
    unread: tuple[Unread, ...] = ()
    whole: bool = True
    kept_whole: bool = True  # false: only plan and verdict of its runs are still there
    schema: int = NIGHT_SCHEMA
