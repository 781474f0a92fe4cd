"""The panels of a training job: steps by when they were done with its checkpoints, and what a loss would cost at any moment."""

from __future__ import annotations

import altair as alt

from reports.axis import Progress, Saved
from reports.page.plot.frame import AS_GIVEN, Frame, Panel, Row, legend, rules, shade
from verdict.words import count

SIGN = {"verified": "●", "verified in part": "◐", "not saved": "✕", "passed over": "▼"}
INK = {"verified": "var(--good)", "verified in part": "var(--p95)", "not saved": "var(--bad)", "passed over": "var(--bad)"}


def steps(frame: Frame, progress: Progress) -> Panel:
    """Return steps over time, a line an attempt; what was done again is hatched, every checkpoint has a sign of its fate."""
    y = alt.Y("y:Q", axis=alt.Axis(title=None, tickCount=5, format=",~r"), scale=alt.Scale(zero=False, nice=True))
    lines = [_line(frame, rows, y) for attempt in progress.attempts if (rows := _path(attempt.t_s, attempt.step))]
    signs = [(SIGN[state], state, INK[state]) for state in SIGN if any(saved.state == state for saved in progress.checkpoints)]
    entries = (("━", "steps of all ranks", "var(--p50)"), ("▨", "done again", "var(--muted)"), *signs)
    texts = [_signs(frame, progress.checkpoints, y)] if progress.checkpoints else []
    return Panel((*shade(frame), *_again(frame, progress, y), *lines, *texts, rules(frame), legend(frame, "Steps", entries)), 200)


def _path(t_s: tuple[float, ...], values: tuple[int, ...]) -> list[Row]:
    return [{"x": t, "y": value} for t, value in zip(t_s, values, strict=True)]


def _line(frame: Frame, rows: list[Row], y: alt.Y) -> alt.Chart:
    chart = alt.Chart(frame.data(rows)).mark_line(color="var(--p50)", strokeWidth=1.8)
    return frame.layer(chart, y=y, order=AS_GIVEN)


def _again(frame: Frame, progress: Progress, y: alt.Y) -> list[alt.Chart]:
    """Return a hatched box over each replayed region: from the restored step to the first one that was new."""
    rows = [
        {"x": attempt.from_s, "x2": attempt.replayed_to_s, "y": attempt.from_step, "y2": attempt.from_step + attempt.lost_steps}
        for attempt in progress.attempts
        if attempt.replayed_to_s is not None
    ]
    if not rows:
        return []
    boxes = alt.Chart(frame.data(rows)).mark_rect(fill="url(#hatch-muted)", stroke="var(--muted)", strokeWidth=0.8)
    return [frame.layer(boxes, x2=alt.X2("x2:Q"), y=y, y2=alt.Y2("y2:Q"))]


def _signs(frame: Frame, checkpoints: tuple[Saved, ...], y: alt.Y) -> alt.Chart:
    rows = [{"x": saved.t_s, "y": saved.step, "text": SIGN[saved.state], "colour": INK[saved.state]} for saved in checkpoints]
    chart = alt.Chart(frame.data(rows)).mark_text(fontSize=12, baseline="middle")
    return frame.layer(chart, y=y, text=alt.Text("text:N"), color=alt.Color("colour:N", scale=None, legend=None))


def at_stake(frame: Frame, progress: Progress) -> Panel:
    """Return, at any moment, the steps that are in no verified checkpoint: what a loss just then would cost."""
    rows = stakes(progress)
    axis = alt.Axis(title=None, tickCount=3, format=",~r")
    y = alt.Y("y:Q", axis=axis, scale=alt.Scale(zero=True, nice=True), stack=None)  # else what falls on one moment is added up
    area = frame.layer(
        alt.Chart(frame.data(rows)).mark_area(interpolate="step-after", fill="var(--band)", line={"color": "var(--p95)"}), y=y
    )
    title = legend(frame, "Steps that a loss would cost (done, but in no verified checkpoint)", ())
    return Panel((*shade(frame), area, rules(frame), title), 70)


def stakes(progress: Progress) -> list[Row]:
    """Return the steps at stake after each step and each save, in order of time."""
    starts = [(attempt.from_s, 0, attempt.from_step) for attempt in progress.attempts]
    saves = [(saved.t_s, 1, saved.step) for saved in progress.checkpoints if saved.state in ("verified", "verified in part")]
    done = [(t, 2, step) for attempt in progress.attempts for t, step in zip(attempt.t_s, attempt.step, strict=True)]
    at, safe, lost = 0, 0, dict[float, int]()
    for t, kind, step in sorted([*starts, *saves, *done]):
        at = at if kind == 1 else step
        safe = step if kind == 0 else max(safe, step) if kind == 1 else safe  # a start shows what is really there
        lost[t] = max(0, at - safe)
    return [{"x": t, "y": value} for t, value in lost.items()]


def describe(progress: Progress) -> str:
    """Say in words what the plot shows."""
    again = [attempt for attempt in progress.attempts if attempt.replayed_to_s is not None]
    lost = f"; {count(sum(attempt.lost_steps for attempt in again), 'step')} were done again" if again else ""
    kinds = [f"{sum(saved.state == state for saved in progress.checkpoints)} {state}" for state in SIGN]
    last = max((attempt.step[-1] for attempt in progress.attempts if attempt.step), default=0)
    return f"{count(len(progress.attempts), 'attempt')} up to step {last}{lost}. Checkpoints: {', '.join(kinds)}."


def caption(progress: Progress) -> str:
    """Say what is drawn and what the signs mean."""
    states = {saved.state for saved in progress.checkpoints}
    signs = ", ".join(f"{sign} {state}" for state, sign in SIGN.items() if state in states) or "none"
    why = " (by a start that found it damaged or unfinished)" if "passed over" in states else ""
    return f"A step is drawn when all ranks had done it. Checkpoints: {signs}{why}."
