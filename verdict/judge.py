"""One run in, its verdict out: measure everything, check everything, and take the worst."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from history.budgets import written
from history.errors import HistoryError
from history.kinds import EVERY, REQUESTS, in_words
from history.reader import Run
from history.result import Check, FaultSummary, Measurement, Outage, RunVerdict, Verdict, worst
from history.schema import EventKind
from history.workloads import WorkloadPlan
from verdict.advice.advise import advice_on
from verdict.case import Case, case_of
from verdict.inputs.attempts import Bools
from verdict.inputs.recovery import recovery_of
from verdict.registered import all_checks as every_check
from verdict.registered import check_named, checks_of, measures_of
from verdict.shared import checks_after, checks_record
from verdict.shared.alerting.outcomes import judged_alerts
from verdict.shared.registry import MEASUREMENT, Cause, CheckSpec, Role
from verdict.shared.results import inconclusive
from verdict.shared.starvation import LEAST_OTHERS, starved_arrivals
from verdict.shared.targets import touched
from verdict.words import count, listed, percent

MOST_ERRORS = 50
SURE = " This holds even if every late, unsent or unrecorded request had been good."


def judge(run: Run) -> RunVerdict:
    """Judge ``run``: the verdict is the worst of its checks, and no check passes on data that are missing.

    Raises:
        HistoryError: a workload is of a kind that nobody here knows.

    """
    for workload in run.plan.workloads:
        if type(workload) is WorkloadPlan:
            raise HistoryError(
                f"run {run.plan.run_id} is driven by {workload.name} of kind {workload.kind!r}, which this suite does not know; "
                "judge it with the suite that wrote it"
            )
    first, *others = (verdict_of(case_of(run, workload)) for workload in run.plan.workloads)
    return _with_others(run, first, others) if others else first


def _with_others(run: Run, first: RunVerdict, others: Sequence[RunVerdict]) -> RunVerdict:
    """Return the verdict of a run that several workloads drive: each is judged by its own checks, and the worst of all decides.

    What is of the whole run, whatever drives it, is judged once.
    """
    of_run = {spec.name for spec in every_check() if spec.kind == EVERY}
    checks, measurements = list[Check](), list[Measurement]()
    for workload, verdict in zip(run.plan.workloads, (first, *others), strict=True):
        own = [check for check in verdict.checks if check.name not in of_run or verdict is first]
        checks += [_named(check, "" if check.name in of_run else workload.name) for check in own]
        measurements += [one.model_copy(update={"workload": workload.name}) for one in verdict.measurements]
    decided = worst([check.verdict for check in checks])
    return first.model_copy(
        update={
            "verdict": decided,
            "sentence": sentence_of(decided, checks),
            "checks": tuple(checks),
            "measurements": tuple(measurements),
            "alerts": tuple(alert for one in (first, *others) for alert in one.alerts),
            "load": next((one.load for one in (first, *others) if one.load is not None), None),
            "errors": next((one.errors for one in (first, *others) if one.errors), {}),
            "advice": max((one.advice for one in (first, *others) if one.advice is not None), key=len, default=None),
        }
    )


def _named(check: Check, workload: str) -> Check:
    """Return ``check`` as that of ``workload`` among others; of none: of the whole run."""
    return check.model_copy(update={"workload": workload, "sentence": f"{workload}: {check.sentence}"}) if workload else check


def verdict_of(case: Case) -> RunVerdict:
    """Judge one workload of a run, by the checks of its kind."""
    run, checks, measurements = case.run, all_checks(case), measured(case)
    verdict = worst([check.verdict for check in checks])
    return RunVerdict(
        run_id=run.plan.run_id,
        verdict=verdict,
        sentence=sentence_of(verdict, checks),
        complete=not list(checks_after.cut_short(case)),
        checks=tuple(checks),
        measurements=tuple(measurements),
        outages=_outages(case),
        load=case.audit.summary if case.kind == REQUESTS else None,
        fault=_fault(case),
        errors=_errors(run),
        advice=advice_on(case, checks, measurements) if verdict is Verdict.FAIL else None,
        alerts=judged_alerts(case),
    )


def all_checks(case: Case) -> list[Check]:
    """Return every check of ``case``; those that rest on a gate that did not pass are inconclusive."""
    resting, own, gates = (_made(case, role) for role in (Role.RESTING, Role.OWN, Role.GATE))
    doubts = [gate for gate in gates if gate.verdict is not Verdict.PASS]
    if doubts:
        sure = _sure_failures(case, doubts)
        resting = [_doubted(check, doubts, sure) for check in resting]
    if case.control and _felt(case):
        resting = _excused(case, resting)
    made = {check.name for check in (*resting, *own, *gates)}
    return [*resting, *_unseen(case), *own, *gates, *_unjudged(case, made)]


def _unseen(case: Case) -> list[Check]:
    """Return a check for each budget that is set and that no check of this kind of workload judges: it would be met unseen."""
    judged = {spec.budget.name for spec in checks_of(case.kind) if spec.budget}
    unseen = [written(name) for name in case.workload.budgets.values() if name not in judged]
    sentence = f"No check of {in_words(case.kind)} judges this budget: register one, or leave the budget out."
    return [inconclusive(name, sentence) for name in unseen]


def _unjudged(case: Case, made: set[str]) -> Iterator[Check]:
    """Yield that no check of its own judges a workload: what is of the whole run says nothing of it."""
    if not any(spec.kind == case.kind and spec.name in made for spec in checks_of(case.kind)):
        name = case.workload.name
        yield inconclusive("judged", f"Nothing of {name} was judged: no check of a workload of kind {case.kind!r} is registered.")


def _made(case: Case, role: Role) -> list[Check]:
    made = (spec.function(case) for spec in checks_of(case.kind) if spec.role is role)
    return [check for check in made if check]


def _felt(case: Case) -> tuple[CheckSpec, ...]:
    """Return the checks of what users felt, which follow from which arrivals were good."""
    return tuple(spec for spec in checks_of(case.kind) if spec.felt)


def _cause(check: Check) -> Cause:
    spec = check_named(check.name)
    return spec.cause if spec else Cause.NONE


def measured(case: Case) -> list[Measurement]:
    """Return every measurement of ``case``."""
    return [measure.of(case) for measure in measures_of(case.kind)]


def sentence_of(verdict: Verdict, checks: Sequence[Check]) -> str:
    """Return the sentence of a verdict: that of the check that decided it, and which others agree; of a PASS, also what it leaves open."""
    if verdict is Verdict.PASS:
        first = next((check for name in ("impact", "rto") for check in checks if check.name == name), checks[0])
        return " ".join([first.sentence, *(check.sentence for check in checks if check is not first and _left_open(check))])
    deciding = [check for check in checks if check.verdict is verdict]
    if verdict is Verdict.INCONCLUSIVE:
        deciding.sort(key=_cause)
    others = f" ({verdict.value} too: {listed(_title(check) for check in deciding[1:])}.)" if deciding[1:] else ""
    return deciding[0].sentence + others


def _title(check: Check) -> str:
    """Return what people call a check."""
    spec = check_named(check.name)
    return (spec.title if spec else "") or check.name.replace("_", " ")


def _left_open(check: Check) -> bool:
    """Tell whether a check that passed says of whom or of what time the headline does not speak."""
    if check.name == "interrupted":
        return bool(check.measured)
    return check.name == "watched" and (check.measured or 0.0) < (check.budget or 0.0)


def _doubted(check: Check, doubts: Sequence[Check], sure: frozenset[str]) -> Check:
    if check.verdict is Verdict.FAIL and check.name in sure:
        return check.model_copy(update={"sentence": check.sentence + SURE})
    if check.verdict is Verdict.INCONCLUSIVE:
        return check
    why = f"Not judged, because of {listed(doubt.name for doubt in doubts)}; what the record shows: {check.sentence}"
    return check.model_copy(update={"verdict": Verdict.INCONCLUSIVE, "sentence": why})


def _sure_failures(case: Case, doubts: Sequence[Check]) -> frozenset[str]:
    """Return which checks fail even in the platform's favour: with everything that the load or the record left open counted as good.

    Nothing is sure if the fault, its evidence or the baseline are in doubt, or if the record contradicts itself.
    """
    if not _felt(case) or any(_cause(doubt) not in MEASUREMENT for doubt in doubts) or list(checks_record.distrust(case)):
        return frozenset()
    answered = case.arrivals.latency_ms < float("inf")
    return _failing(case, case.arrivals.good | answered | ~case.arrivals.sent)


def _failing(case: Case, good: Bools) -> frozenset[str]:
    """Return which checks of what users felt fail if ``good`` are the arrivals that were."""
    arrivals = replace(case.arrivals, good=good)
    again = replace(case, arrivals=arrivals, recovery=recovery_of(case.run.plan, case.timeline, arrivals))
    judged = (spec.function(again) for spec in _felt(case))
    return frozenset(check.name for check in judged if check and check.verdict is Verdict.FAIL)


def _excused(case: Case, checks: Sequence[Check]) -> list[Check]:
    """Return the checks of a control run, a breach that a starved machine explains inconclusive.

    In a control nothing was broken, so a breach points at the platform or the detector. It points at neither if others had taken the
    processors of the shared machine while the bad requests were asked. Therefore the checks are judged again with those requests counted
    as good. A breach that remains stays FAIL, and so does one by which the platform starved itself (its own use is not counted). A pass is
    never touched. A run with a fault is never excused: a busy machine does not prove that recovery would have been in time without it.
    (Measured: null runs passed while others used 30 to 79 % of the processors and some task waited 93 to 100 % of the time.)
    """
    failed = [check for check in checks if check.verdict is Verdict.FAIL]
    starved = starved_arrivals(case) & ~case.arrivals.good if failed else None
    if starved is None or not starved.any():
        return list(checks)
    still = _failing(case, case.arrivals.good | starved)
    why = (
        f" Not held against platform or detector: {count(int(starved.sum()), 'bad request')} met a machine of which no processor was idle "
        f"and others used at least {percent(LEAST_OTHERS)}; without them this holds. Quiet the machine."
    )
    excuse = {spec.name for spec in _felt(case)} & {check.name for check in failed} - still
    return [
        check.model_copy(update={"verdict": Verdict.INCONCLUSIVE, "sentence": check.sentence + why}) if check.name in excuse else check
        for check in checks
    ]


def _outages(case: Case) -> tuple[Outage, ...]:
    spans = case.recovery.outages if case.recovery else ()
    last, well = len(spans) - 1, case.recovery is not None and case.recovery.recovered_ns is not None
    ends = [span.end_ns if index < last or well else None for index, span in enumerate(spans)]
    return tuple(Outage(start_ns=span.start_ns, end_ns=end_ns, bad=span.bad) for span, end_ns in zip(spans, ends, strict=True))


def _fault(case: Case) -> FaultSummary:
    timeline = case.timeline
    confirmed = timeline.all(EventKind.FAULT_CONFIRMED)
    return FaultSummary(
        started_ns=timeline.first_ns(EventKind.FAULT_START),
        confirmed_ns=timeline.last_ns(EventKind.FAULT_CONFIRMED),
        ended_ns=timeline.last_ns(EventKind.FAULT_END),
        evidence=tuple(dict.fromkeys(event.object for event in confirmed)),
        targets=touched(case),
    )


def _errors(run: Run) -> dict[str, int]:
    counts = run.requests["error"].drop_nulls().value_counts(sort=True).head(MOST_ERRORS)
    return {str(text): int(number) for text, number in counts.iter_rows()}
