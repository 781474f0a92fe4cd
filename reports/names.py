"""What measurements, budgets and checks are called on the page, and in which order they are read.

Definitions are not repeated here: the report quotes those of :mod:`verdict`. A name unknown to this table is shown in its own words.
"""

from __future__ import annotations

RECOVERY = {
    "time_to_impact": "First impact on users",
    "time_to_detection": "First sign on the platform",
    "rto": "RTO: users served again for good",
    "rto_train_first": "First step again, not yet beyond what had been done",
    "rto_train": "Beyond every step that had been done",
    "readiness_rto": "RTO by Kubernetes readiness",
    "readiness_gap": "Readiness gap: RTO − RTO by readiness",
    "full_capacity": "Full capacity",
    "queue_drain": "Queue drained after recovery",
}
"""The recovery table: times after the fault, in the order in which they are of interest."""
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
BAD_REQUESTS = "requests_bad"
AVAILABILITY = "availability"
RPO = "rpo_requests"
RPO_STEPS = "rpo_steps"

BUDGETS = ("rto", "availability", "rpo_requests", "rpo_steps", "rpo_samples", "latency", "capacity_rto")
"""Checks of what an experiment allows; the others ask whether the run can be believed, or what it left behind."""
OF_MEASUREMENT = ("load", "history", "ledger")
"""Checks of the measurement itself."""

LABELS = {
    "rto": "RTO",
    "rto_s": "RTO",
    "rto_resolution": "RTO resolution",
    "rpo_requests": "RPO",
    "rpo_steps": "RPO in steps",
    "rpo_samples": "RPO in samples",
    "state": "State as undisturbed",
    "samples": "Every sample once",
    "writers": "One writer",
    "checkpoints": "Checkpoints afterwards",
    "ledger": "Complete ledger",
    "lost_steps": "Steps lost",
    "rpo_seconds": "Age of what was resumed",
    "ettr": "ETTR: effective share of time",
    "verified_state": "On a verified state again",
    "pods_doubled": "Two pods of one rank listed",
    "batches_set_aside": "Batches set aside",
    "divergence_found": "Steps until ranks were found to differ",
    "verified_age": "Oldest that the newest verified checkpoint got",
    "availability": "Availability in the fault window",
    "latency": "Latency after recovery",
    "p95_ratio": "p95 latency after recovery",
    "capacity_rto": "Full capacity",
    "capacity_rto_s": "Full capacity",
    "impact": "No impact (control)",
    "fault": "Fault carried out",
    "evidence": "Fault confirmed",
    "instruments": "Instruments answered",
    "stopped": "All phases run",
    "baseline": "Healthy before the fault",
    "hypothesis": "Steady-state hypothesis",
    "load": "Load as planned",
    "history": "Complete record",
    "heal": "Healed",
    "slo_debt": "SLO debt",
    "wrong_green": "False healthy (wrong green): all said healthy while users were not served",
    "target_green": "Faulted replica said healthy",
}


TIMES = ("latency", "p95_ratio", "amplification")
"""Ratios that are multiples of something, not shares of a whole."""


UNITS = {
    "rpo_steps": "steps",
    "rpo_samples": "samples",
    "rto": "s",
    "availability": "ratio",
    "rpo_requests": "answers",
    "latency": "times",
    "capacity_rto": "s",
}
"""Units of budgets, for checks that could not measure and therefore name none."""


def unit(name: str, unit_as_measured: str) -> str:
    """Return the unit in which the page writes the measurement or check ``name``."""
    return "times" if name in TIMES and unit_as_measured == "ratio" else unit_as_measured or UNITS.get(name, "")


def label(name: str) -> str:
    """Return what ``name`` is called on the page."""
    return LABELS.get(name) or RECOVERY.get(name) or name.replace("_", " ").capitalize()
