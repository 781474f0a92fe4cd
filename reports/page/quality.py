"""How well all runs of a report were measured, in a sentence."""

from __future__ import annotations

from history.result import Verdict
from reports import names
from reports.instruments import LoadQuality
from reports.model import Report
from verdict.words import count, number, percent, seconds


def measured_how(report: Report) -> str:
    """Say how well all runs were measured: the least load achieved, the largest send lag, the coarsest resolution."""
    trials = [trial for experiment in report.experiments for trial in experiment.trials]
    widths_s = [t.rto_high_s - t.rto_low_s for t in trials if t.rto_low_s is not None and t.rto_high_s is not None]
    coarsest_s = max((t.rto_resolution_s for t in trials if t.rto_resolution_s is not None and t.rto_low_s is None), default=None)
    doubts = sum(any(names.of_measurement(check.name) and check.verdict is not Verdict.PASS for check in trial.checks) for trial in trials)
    parts = [
        *_offered_how([trial.load for trial in trials if trial.load]),
        *([f"RTO within {seconds(max(widths_s))} or less (95 %)"] if widths_s else []),
        *([f"RTO to ± {seconds(coarsest_s)} or better"] if coarsest_s is not None else []),
        *([f"{count(doubts, 'run')} with doubtful instruments"] if doubts else []),
    ]
    return ", ".join(parts) or "nothing was measured"


def _offered_how(loads: list[LoadQuality]) -> list[str]:
    """Say how well requests were offered; nothing where no run offers any (training)."""
    if not loads:
        return []
    share = min((load.achieved_rps / load.offered_rps for load in loads if load.offered_rps), default=None)
    lag_ms = max(load.send_lag_p99_ms for load in loads)
    return [f"at least {percent(share)} of the load offered", f"send lag p99 at most {number(lag_ms)} ms"]
