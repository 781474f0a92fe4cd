"""The rows of bars above the charts: what was broken, what users had, what the platform said of itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import dropwhile, pairwise

from history.result import RunVerdict
from history.schema import EventKind
from reports.axis import Bar, Lane
from reports.text import one_line
from verdict.case import Case
from verdict.inputs.alert_record import alert_record
from verdict.inputs.timeline import Event
from verdict.shared.health import asked_pods, health_claims
from verdict.shared.ready import spells_of

MOST_OBJECTS = 12
"""Rows of nodes and pods that are drawn; more are counted, never silently dropped."""

Span = tuple[float, float | None]
READY = ({EventKind.POD_READY}, {EventKind.POD_UNREADY, EventKind.POD_GONE})
SERVING = ({EventKind.ENDPOINT_IN}, {EventKind.ENDPOINT_OUT})
NODE_READY = ({EventKind.NODE_READY}, {EventKind.NODE_UNREADY})
CORDONED = ({EventKind.NODE_CORDONED}, {EventKind.NODE_UNCORDONED})
FAULT = ({EventKind.FAULT_START}, {EventKind.FAULT_END})


@dataclass(frozen=True, slots=True)
class Lanes:
    """Rows to draw, objects whose state never changed, and how many changed ones are left out."""

    shown: tuple[Lane, ...]
    unchanged: tuple[str, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Clock:
    """The plot's time: seconds after ``zero_ns``, from ``from_s`` to ``to_s``."""

    zero_ns: int
    from_s: float
    to_s: float

    def s(self, t_ns: int) -> float:
        """Return ``t_ns`` on the plot's time."""
        return (t_ns - self.zero_ns) / 1e9


def lanes_of(case: Case, verdict: RunVerdict, clock: Clock) -> Lanes:
    """Return the lanes of a run."""
    objects = [*_node_lanes(case, clock), *_gpu_lanes(case, clock), *_pod_lanes(case, clock)]
    changed = [lane for lane in objects if not _constant(lane, clock)]
    unchanged = tuple(lane.name for lane in objects if _constant(lane, clock))
    first = [*_fault_lane(case, clock), *_user_lane(case, verdict, clock), *_health_lane(case, clock), *_alert_lanes(case, clock)]
    first += _phase_lane(case, clock)
    clipped = (_clip(lane, clock) for lane in [*first, *changed[:MOST_OBJECTS]])
    shown = tuple(lane for lane in clipped if lane.bars or lane.group in {"node", "pod", "health", "alert"})
    return Lanes(shown, unchanged, max(0, len(changed) - MOST_OBJECTS))


def _spans(steps: Iterable[tuple[float, bool]]) -> Iterator[Span]:
    """Yield the spans in which a state was on, from (time, on) steps; an "off" that comes first means it was on before the record began."""
    since: float | None = None
    first = True
    for t_s, on in steps:
        if on and since is None:
            since = t_s
        elif not on and (since is not None or first):
            yield (float("-inf") if since is None else since), t_s
            since = None
        first = False
    if since is not None:
        yield since, None


def _steps(events: list[Event], kinds: tuple[set[EventKind], set[EventKind]], clock: Clock) -> Iterator[tuple[float, bool]]:
    on, off = ({kind.value for kind in side} for side in kinds)
    yield from ((clock.s(event.t_ns), event.kind in on) for event in events if event.kind in on | off)


def _by_object(case: Case, *sides: tuple[set[EventKind], set[EventKind]]) -> dict[str, list[Event]]:
    """Return the events of these kinds by object, in the order in which the objects first appear."""
    by_object: dict[str, list[Event]] = defaultdict(list)
    for event in case.timeline.all(*(kind for on, off in sides for kind in (*on, *off))):
        by_object[one_line(event.object or "", 120)].append(event)
    return dict(sorted(by_object.items(), key=lambda item: (item[1][0].t_ns, item[0])))


def _bars(spans: Iterable[Span], state: str, label: str = "") -> tuple[Bar, ...]:
    return tuple(Bar.model_validate({"from_s": start, "to_s": end, "state": state, "label": label}) for start, end in spans)


def _pod_lanes(case: Case, clock: Clock) -> Iterator[Lane]:
    """Yield for each pod when it was ready by the rule of :mod:`verdict.shared.ready`, and when the Service's endpoints named it."""
    spells = {one_line(pod, 120): of_pod for pod, of_pod in spells_of(case).items()}
    asked = {one_line(pod, 120) for pod in asked_pods(case)}
    for pod, events in _by_object(case, READY, SERVING).items():
        label = "" if pod in asked else "Ready by its condition"
        before = [span for span in _spans(_steps(events, READY, clock)) if span[0] == float("-inf")]  # the record began later
        served, unserved = (
            [
                (clock.s(one.start_ns), None if one.end_ns is None else clock.s(one.end_ns))
                for one in spells.get(pod, ())
                if one.served is side
            ]
            for side in (True, False)
        )
        bars = (*_bars([*before, *served], "ready", label), *_bars(unserved, "unready", "Ready, does not serve"))
        yield Lane(name=pod, group="pod", bars=(*bars, *_bars(_spans(_steps(events, SERVING, clock)), "serving")))


def _node_lanes(case: Case, clock: Clock) -> Iterator[Lane]:
    for node, events in _by_object(case, NODE_READY, CORDONED).items():
        steps = list(_steps(events, NODE_READY, clock))
        ready: Iterable[Span] = _spans(steps) if steps else [(float("-inf"), None)]  # its readiness never changed
        cordoned = _spans(_steps(events, CORDONED, clock))
        yield Lane(name=node, group="node", bars=(*_bars(ready, "ready"), *_bars(cordoned, "cordoned")))


def _gpu_lanes(case: Case, clock: Clock) -> Iterator[Lane]:
    for node, events in _by_object(case, ({EventKind.GPU_ALLOCATABLE}, set())).items():
        steps = ((clock.s(event.t_ns), event.number("allocatable") == event.number("capacity")) for event in events)
        yield Lane(name=f"{node} GPUs", group="node", bars=_bars(_spans(steps), "ready"))


def _fault_lane(case: Case, clock: Clock) -> Iterator[Lane]:
    actions = _by_object(case, FAULT).items()
    bars = tuple(bar for name, events in actions for bar in _bars(_spans(_steps(events, FAULT, clock)), "fault", name))
    if bars:
        yield Lane(name="fault", group="fault", bars=bars)


def _user_lane(case: Case, verdict: RunVerdict, clock: Clock) -> Iterator[Lane]:
    spans = [(clock.s(o.start_ns), None if o.end_ns is None else clock.s(o.end_ns)) for o in verdict.outages]
    if spans:
        yield Lane(name="training out" if case.training else "users not served", group="users", bars=_bars(spans, "outage"))


def _health_lane(case: Case, clock: Clock) -> Iterator[Lane]:
    """Yield when every replica that says anything says green, by :mod:`verdict.shared.health`'s rule of how long an answer holds."""
    changes: list[tuple[int, int, int]] = []  # time, change of claims, change of claims that are not green
    for claim in (claim for claims in health_claims(case).values() for claim in claims):
        changes += [(claim.start_ns, 1, int(not claim.green)), (claim.end_ns, -1, -int(not claim.green))]
    if not changes:
        return
    known, red, steps = 0, 0, {}
    for t_ns, claimed, not_green in sorted(changes):
        known, red = known + claimed, red + not_green
        steps[clock.s(t_ns)] = known > 0 and red == 0
    yield Lane(name="health all green", group="health", bars=_bars(_spans(steps.items()), "green"))


def _alert_lanes(case: Case, clock: Clock) -> Iterator[Lane]:
    """Yield for each judged rule when Prometheus said that its alert waits or fires."""
    twice = Counter(rule.rule for rule in case.run.plan.alerts)
    for rule in case.run.plan.alerts:
        states = alert_record(case.run.alerts, rule).states
        bars = [bar for state in ("pending", "firing") for bar in _bars(_spans(_since_on(states, state, clock)), state)]
        name = f"alert {rule.rule}" + (f" ({rule.group})" if twice[rule.rule] > 1 else "")
        yield Lane(name=one_line(name, 120), group="alert", bars=tuple(bars))


def _since_on(states: Iterable[tuple[int, str]], state: str, clock: Clock) -> Iterator[tuple[float, bool]]:
    """Yield the steps of a state from its first "on": a rule that was not heard of before did not fire."""
    return dropwhile(lambda step: not step[1], ((clock.s(t_ns), name == state) for t_ns, name in states))


def _phase_lane(case: Case, clock: Clock) -> Iterator[Lane]:
    phases = case.timeline.all(EventKind.PHASE)
    ends = [clock.s(after.t_ns) for _, after in pairwise(phases)]
    bars = (
        [Bar(from_s=clock.s(p.t_ns), to_s=end, state="phase", label=p.object) for p, end in zip(phases, [*ends, None], strict=True)]
        if phases
        else []
    )
    if bars:
        yield Lane(name="run phase", group="phase", bars=tuple(bars))


def _constant(lane: Lane, clock: Clock) -> bool:
    """Return whether nothing about ``lane`` changed inside the plot."""
    edges = [edge for bar in lane.bars for edge in (bar.from_s, bar.to_s) if edge is not None]
    return not any(clock.from_s < edge < clock.to_s for edge in edges)


def _clip(lane: Lane, clock: Clock) -> Lane:
    inside = [bar for bar in lane.bars if bar.from_s < clock.to_s and (bar.to_s is None or bar.to_s > clock.from_s)]
    bars = (bar.model_copy(update={"from_s": round(max(bar.from_s, clock.from_s), 3), "to_s": _end(bar.to_s, clock)}) for bar in inside)
    return lane.model_copy(update={"bars": tuple(bars)})


def _end(end_s: float | None, clock: Clock) -> float | None:
    return None if end_s is None or end_s > clock.to_s else round(end_s, 3)
