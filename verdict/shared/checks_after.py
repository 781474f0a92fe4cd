"""What was left, and was all of it seen: checks ``impact``, ``hypothesis``, ``heal``, ``instruments`` and ``stopped``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from history.kinds import EVERY, REQUESTS, in_words
from history.plan import Phase
from history.result import Check
from history.schema import API_SERVER, EventKind
from verdict.case import RECOVERIES, Case
from verdict.inputs.evaluations import Evaluation, Said, evaluations_of, frozen
from verdict.shared.registry import Cause, Role, check
from verdict.shared.results import Figures, failed, inconclusive, passed, unless
from verdict.shared.users import outage
from verdict.shared.window import of_fault
from verdict.words import count, listed, percent, seconds

NEEDED = {
    "prometheus": "queue depth and the hypothesis probes that read it are",
    API_SERVER: "when readiness and capacity changed is",
    "load": "what users felt is",  # so called in runs of schema 1
    REQUESTS: "what users felt is",
}
BACK_S = 30.0
"""An instrument that a fault took away must answer again so long after it: its start, and the reconnection of every watch."""


@check(REQUESTS, Role.RESTING, title="No impact (control)", felt=True)
def impact(case: Case) -> Check | None:
    """Check that a control run (no fault, or one on a decoy) shows no outage and loses no availability."""
    if not case.control:
        return None
    if case.recovery is None:
        return inconclusive("impact", "The control run was never observed.")
    lasted_s, recovery = outage(case).value or 0.0, case.recovery
    good = case.arrivals.good[of_fault(case, recovery.watched_ns)]
    share, ratio = float(good.mean()) if len(good) else 0.0, case.slo.ratio
    figures = Figures(measured=lasted_s, budget=0.0, unit="s", resolution=case.resolution_s)
    seen = f"{percent(share)} of {count(len(good), 'request')} were good"
    if recovery.outages:
        was = count(len(recovery.outages), "outage was", "outages were")
        return failed(
            "impact",
            f"Nothing was broken, yet {was} seen: {seconds(lasted_s)} in all, {seen}. The platform or the detector is not to be trusted.",
            **figures,
        )
    if recovery.recovered_ns is None or not len(good):
        return inconclusive(
            "impact", f"The control run was watched for {seconds(case.after_fault_s(recovery.watched_ns))} only; {seen}.", **figures
        )
    if share < ratio:
        return failed("impact", f"Nothing was broken, yet only {seen}; the SLO is {percent(ratio)}.", **figures)
    return passed("impact", f"The control run shows no impact: no outage, {seen}.", **figures)


@check(EVERY, Role.OWN, title="Steady-state hypothesis")
def hypothesis(case: Case) -> Check:
    """Check that the steady-state hypothesis held again after recovery and before healing. During an outage it may be unmet."""
    probes, title = case.run.plan.hypothesis_probes, case.run.plan.experiment.hypothesis
    if not probes or case.recovery is None:
        injected = "nothing was injected" if case.kind in RECOVERIES else f"nobody says how {in_words(case.kind)} recovers"
        why = "it has no probe" if not probes else injected
        return inconclusive("hypothesis", f"The hypothesis “{title}” was not tested: {why}.")
    asked = {probe: evaluations_of(case.timeline, probe) for probe in probes}
    unmet = [
        f"{probe} (last value {_shown(last.value)})" for probe in probes if (last := _last(case, asked[probe])) and last.said is Said.UNMET
    ]
    if unmet and _cut_short(case):
        return inconclusive("hypothesis", f"The hypothesis “{title}” had not held again when the run was stopped: {listed(unmet)}.")
    if unmet:
        return failed("hypothesis", f"The hypothesis “{title}” did not hold again by the end: {listed(unmet)}.")
    last_unmet = max((e.t_ns for e in chain(*asked.values()) if e.said is Said.UNMET and e.t_ns >= case.recovery.fault_ns), default=None)
    again = (
        "never stopped holding"
        if last_unmet is None
        else f"held again at the end; it was last unmet {seconds(case.after_fault_s(last_unmet))} after the fault"
    )
    return unless(
        "hypothesis",
        _unsaid(case, asked),
        f"Whether the hypothesis “{title}” held again is not known",
        f"The hypothesis “{title}” {again}.",
    )


def _cut_short(case: Case) -> bool:
    """Tell whether the run was stopped while it waited for recovery, before its deadline."""
    recovery = case.recovery
    if recovery is None or recovery.recovered_ns is not None:
        return False
    waited_s = (recovery.watched_ns - recovery.fault_ns) / 1e9
    return bool(case.timeline.all(EventKind.STOPPED)) and waited_s < case.run.plan.timers.deadline_s


def _unsaid(case: Case, asked: dict[str, list[Evaluation]]) -> Iterator[str]:
    for probe, evaluations in asked.items():
        last = _last(case, evaluations)
        if last is None:
            yield f"{probe} was not asked between recovery and healing"
        elif last.said is Said.NO_DATA:
            yield f"{probe} had no data at the end"
        elif frozen(evaluations):
            yield f"{probe} stood still at {_shown(last.value)} to the end of its {len(evaluations)} evaluations"


def _last(case: Case, evaluations: list[Evaluation]) -> Evaluation | None:
    """Return the last evaluation after recovery (if there was none, after the fault) and before healing."""
    assert case.recovery is not None  # noqa: S101 - told by hypothesis
    recovered_ns = case.recovery.recovered_ns
    since_ns = case.recovery.fault_ns if recovered_ns is None else recovered_ns
    return next((e for e in reversed(evaluations) if since_ns <= e.t_ns <= case.recovery.watched_ns), None)


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@check(EVERY, Role.OWN, title="Healed")
def heal(case: Case) -> Check:
    """Check that the platform was proven to be as before once the run was over, and say what remains of the fault."""
    end = next(iter(reversed(case.timeline.all(EventKind.HEAL_END))), None)
    if end is None:
        return inconclusive("heal", "The platform was never proven to be as before: the run ended before it was healed.")
    left = _sentences(end.detail.get("remains"))
    what = f"what remains: {listed(left)}" if left else "nothing remains"
    if end.detail.get("clean") is False and not case.timeline.all(EventKind.FAULT_START):
        return inconclusive("heal", f"The platform is not as it was before, although nothing was injected; {what}.")
    if end.detail.get("clean") is False:
        return failed("heal", f"The fault outlived the run: the platform was not as before after healing; {what}.")
    if end.detail.get("clean") is not True:
        return inconclusive("heal", f"Whether the platform is as before is not known: healing ended without saying so; {what}.")
    begun = case.timeline.first_ns(EventKind.HEAL_START)
    took = f" {seconds((end.t_ns - begun) / 1e9)} after healing began" if begun is not None else ""
    hurt = case.recovery.while_healing if case.recovery else ()
    noticed = f"; healing itself cost users {count(len(hurt), 'outage')}" if hurt else ""
    said = "".join(f"; {text}" for key in ("resized", "residue") for text in _sentences(end.detail.get(key)))
    return passed("heal", f"The platform was proven to be as before{took}; {what}{noticed}{said}.")


def _sentences(said: object) -> list[str]:
    return [str(item) for item in said] if isinstance(said, list) else []


@check(EVERY, Role.OWN, title="Instruments answered", cause=Cause.INSTRUMENT)
def instruments(case: Case) -> Check:
    """Check that every instrument answered throughout. What needs one that did not is not judged; the rest is.

    One that the fault itself takes away, as the plan says, may be silent while the fault acts, and until it is back 30 s later at most.
    """
    silent = _silences(case)
    said = [_said(case, one) for one in silent if not _by_the_fault(case, one)]
    away = [_away(one) for one in silent if _by_the_fault(case, one)]
    return unless("instruments", said, "Not everything was seen", f"Every instrument answered throughout{''.join(away)}.")


class Silence(NamedTuple):
    """An instrument did not answer from ``start_ns`` on, until ``end_ns``; ``None``: to the end of the run."""

    name: str
    start_ns: int
    end_ns: int | None

    @property
    def lasted(self) -> str:
        """For how long, in words."""
        return "" if self.end_ns is None else seconds((self.end_ns - self.start_ns) / 1e9)


def _silences(case: Case) -> list[Silence]:
    down: dict[str, int] = {}
    found: list[Silence] = []
    for event in case.timeline.all(EventKind.INSTRUMENT_DOWN, EventKind.INSTRUMENT_UP):
        if event.kind == EventKind.INSTRUMENT_DOWN.value:
            down.setdefault(event.object, event.t_ns)
        elif event.object in down:
            found.append(Silence(event.object, down.pop(event.object), event.t_ns))
    return found + [Silence(name, since_ns, None) for name, since_ns in down.items()]


def _by_the_fault(case: Case, silence: Silence) -> bool:
    """Tell whether the fault took the instrument away: the plan says that it does, and it was silent in the fault's time alone."""
    begun_ns = case.timeline.first_ns(EventKind.FAULT_START)
    if silence.name not in case.run.plan.takes_away or begun_ns is None or silence.end_ns is None:
        return False
    return begun_ns <= silence.start_ns and silence.end_ns <= begun_ns + int((case.run.plan.timers.fault_s + BACK_S) * 1e9)


def _away(silence: Silence) -> str:
    needs = NEEDED.get(silence.name, "what is read from it is")
    return f", but {silence.name}: the fault itself took it away for {silence.lasted}; of that time {needs} not known"


def _said(case: Case, silence: Silence) -> str:
    lasted = f"for {silence.lasted} from {{}}" if silence.lasted else "from {} on"
    return f"{silence.name} did not answer {lasted.format(_when(case, silence.start_ns))}; {_needs(case, silence.name)}"


def _when(case: Case, t_ns: int) -> str:
    after_s = case.after_fault_s(t_ns)
    return f"{seconds(abs(after_s))} {'after' if after_s >= 0 else 'before'} the fault"


def _needs(case: Case, name: str) -> str:
    kinds = {workload.name: workload.kind for workload in case.run.plan.workloads}
    return f"{NEEDED.get(kinds.get(name, name.lower()), 'what is read from it is')} not judged, the rest is"


@check(EVERY, Role.OWN, title="All phases run", cause=Cause.CUT_SHORT)
def stopped(case: Case) -> Check:
    """Check that the run went through all its phases; one that was cut short is judged as incomplete."""
    return unless("stopped", cut_short(case), "The run is incomplete", "The run went through all its phases.")


def cut_short(case: Case) -> Iterator[str]:
    """Yield why the run is incomplete, if it is."""
    for event in case.timeline.all(EventKind.STOPPED):
        reason, phase = event.detail.get("reason"), event.detail.get("phase")
        where = f" in phase {phase}" if phase else ""
        if reason and not event.object.startswith("SIG"):
            yield f"it ended{where} because of {event.object or 'a stop'}: {str(reason).rstrip('.')}"
        else:
            yield f"it was stopped{where} by {event.object or 'somebody'}" + (f" ({reason})" if reason else "")
    wanted = (Phase.BASELINE, Phase.OBSERVE) if not case.timeline.all(EventKind.STOPPED) else ()
    missing = [phase.value for phase in wanted if case.timeline.phase_ns(phase) is None]
    if missing:
        yield f"phase {listed(missing)} never began"
    if wanted and not case.timeline.all(EventKind.HEAL_END):
        yield "the record ends before healing did"
