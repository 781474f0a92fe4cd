"""What measurements, budgets and checks are called on the page, and in which order they are read.

Definitions are not repeated here: the report quotes those of :mod:`verdict`. A name unknown to this table is shown in its own words.
"""

from __future__ import annotations

from history.budgets import BUDGETS, Budget
from verdict.registered import check_named
from verdict.shared.registry import MEASUREMENT

TTD = "ttd"
"""Shown only where the target names alerting rules."""
RECOVERY = {
    "time_to_impact": "First impact on users",
    "time_to_detection": "Noticed by the platform itself",
    "suite_detection": "Seen by the suite's own probes",
    TTD: "TTD: the first alert told",
    "rto": "RTO: users served again for good",
    "rto_train_first": "First step again, not yet beyond what had been done",
    "rto_train": "Beyond every step that had been done",
    "readiness_rto": "RTO by Kubernetes readiness",
    "readiness_gap": "Readiness gap: RTO − RTO by readiness",
    "full_capacity": "Full capacity",
    "queue_drain": "Queue drained after recovery",
}
"""The recovery table: times after the fault, in the order in which they are of interest."""
OF_TRAINING = {"time_to_impact": "First impact on training", "rto": "RTO: training goes on for good"}
"""What those of them are called of a training job, which has no users."""
PHASES = {
    "phase_detect": "detect",
    "phase_evict": "evict",
    "phase_schedule": "schedule",
    "phase_start": "start",
    "phase_load": "load",
    "phase_warm": "warm",
    "phase_went_on": "went on",
    "phase_replace": "replace",
    "phase_gang": "gang",
    "phase_restore": "restore",
    "phase_first_step": "first step",
    "phase_replay": "replay",
}
"""The phases of recovery, of a service and of a training job, and what each is called."""
DOMINANT = "dominant_phase"
FALSE_HEALTHY = "wrong_green"
TARGET_GREEN = "target_green"
FALSE_READY = "false_ready"
ASKED, BAD_REQUESTS = "requests_asked", "requests_bad"
REASONS = {
    "bad_refused": "refused: no connection",
    "bad_error": "error: an answer that is one",
    "bad_cut": "cut: the answer ended unseen",
    "bad_late": "late: over the SLO's limit",
    "bad_wrong": "wrong: a whole answer, and not the right one",
    "bad_stalled": "stalled: a stream silent for longer than the SLO allows",
    "bad_unsent": "unsent: by the load itself",
    "bad_unrecorded": "unrecorded: no row says what became of them",
}
"""Why requests were bad; their counts add up to :data:`BAD_REQUESTS`."""
UNDER_WAY, INTERRUPTED = "requests_under_way", "requests_interrupted"
WHERE = {
    "interrupted_direct": "on its targets",
    "interrupted_collateral": "elsewhere",
    "interrupted_unknown": "of which it is not known where they were",
}
"""Where those of :data:`INTERRUPTED` were; their counts add up to it."""
AVAILABILITY = "availability"
RPO = "RPO"
"""A column of the table of experiments."""
LABELS = {
    ASKED: "Requests under way at the fault, or asked after it",
    BAD_REQUESTS: "Bad requests",
    UNDER_WAY: "Under way at the fault",
    INTERRUPTED: "Interrupted: under way at the fault, and hurt",
    "interrupted_direct": "Interrupted on its targets",
    "interrupted_collateral": "Interrupted elsewhere",
    "interrupted_unknown": "Interrupted, not known where",
    "interrupted_leaving": "Broken off while the targets left",
    "bad_seconds": "Bad requests, in seconds of load",
    "outlived": "Outlived the fault: users not served after its end",
    "rto_resolution": "RTO resolution",
    "rto_low": "RTO at least (95 %)",
    "rto_high": "RTO at most (95 %)",
    "lost_steps": "Steps lost",
    "rpo_seconds": "Age of what was resumed",
    "ettr": "ETTR: effective share of time",
    "verified_state": "On a verified state again",
    "pods_doubled": "Two pods of one rank listed",
    "batches_set_aside": "Batches set aside",
    "divergence_found": "Steps until ranks were found to differ",
    "verified_age": "Oldest that the newest verified checkpoint got",
    "slo_debt": "SLO debt",
    "requests_exposed": "Requests that met the replicas that were hit",
    "availability_with_retries": "Availability as a client with two retries would have felt it",
    "requests_saved_by_retries": "Bad requests that two retries would have saved",
    "differing_before": "Answers that differ from the known ones, before the fault",
    "differing_after": "Answers that differ from the known ones, after the fault",
    "answers_claimed": "Answers whole by the word of the server alone",
    "wrong_green": "False healthy (wrong green): all said healthy while users were not served",
    "target_green": "Faulted replica said healthy",
    "false_ready": "Kubernetes said Ready of a replica that did not serve",
}
"""What measurements are called. Checks and budgets say it where they are declared."""
TIMES = ("amplification",)
"""Measured ratios that are multiples of something, not shares of a whole."""


def judges_budget(check: str) -> bool:
    """Tell whether ``check`` is of what an experiment allows; the others ask whether the run can be believed, or what it left behind."""
    return _budget(check) is not None


def of_measurement(check: str) -> bool:
    """Tell whether ``check`` is of the measurement itself."""
    spec = check_named(check)
    return spec is not None and spec.cause in MEASUREMENT


def at_least(check: str) -> bool:
    """Tell whether what ``check`` measures must not be below its budget."""
    budget = _budget(check)
    return budget is not None and budget.at_least


def in_column(check: str, column: str) -> bool:
    """Tell whether ``check`` is shown in ``column`` of the table of experiments."""
    budget = _budget(check)
    return budget is not None and budget.column == column


def unit(name: str, unit_as_measured: str) -> str:
    """Return the unit in which the page writes the measurement or check ``name``."""
    budget = _budget(name)
    return budget.unit if budget else "times" if name in TIMES and unit_as_measured == "ratio" else unit_as_measured


def label(name: str, workload: str = "") -> str:
    """Return what the measurement, check or budget ``name`` is called on the page, and whose it is where several workloads drive a run."""
    budget, spec = _budget(name), check_named(name)
    declared = budget.title if budget else spec.title if spec else ""
    called = declared or LABELS.get(name) or RECOVERY.get(name) or name.replace("_", " ").capitalize()
    return f"{called} of {workload}" if workload else called


def _budget(name: str) -> Budget | None:
    """Return the budget that the check ``name`` judges, or that has this name in plans."""
    spec = check_named(name)
    return (spec.budget if spec else None) or BUDGETS.get(name)
