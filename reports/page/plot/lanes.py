"""The panel of lanes: what was broken, what users had, what the platform said of itself, as bars on the time axis."""

from __future__ import annotations

from typing import Literal

import altair as alt

from reports.axis import Bar, Mark, TimeAxis
from reports.page.plot.frame import COLOUR, DASHES, GLYPH_PX, LEFT, Frame, Panel, Row, look, mark_label, placed_labels
from reports.text import one_line
from verdict.words import seconds

LANE_PX = 17
FILL = {
    "fault": "url(#hatch-fault)",
    "outage": "url(#hatch-bad)",
    "ready": "var(--ready)",
    "serving": "var(--good)",
    "cordoned": "url(#hatch-muted)",
}
FILL |= {"pending": "none", "firing": "url(#hatch-bad)"}
FILL |= {"green": "var(--ready)", "phase": "var(--phase)", "unready": "none"}
EDGE = {
    "fault": "var(--fault)",
    "outage": "var(--bad)",
    "ready": "var(--good)",
    "green": "var(--good)",
    "cordoned": "var(--muted)",
    "phase": "var(--line)",
    "unready": "var(--bad)",
    "pending": "var(--bad)",
    "firing": "var(--bad)",
}
WORDS = {
    "fault": "the fault acts",
    "outage": "not served",
    "ready": "ready",
    "serving": "in the Service's endpoints",
    "cordoned": "cordoned",
    "green": "all that answer say healthy",
    "phase": "phase of the run",
    "unready": "Ready by its condition, does not serve",
    "pending": "the alert waits (pending)",
    "firing": "the alert fires",
}
"""What each kind of bar means."""
THICK = {"serving": 4, "cordoned": 7}
"""Height (px) of bars that are drawn inside others; the rest fill their row."""


def lanes(frame: Frame) -> Panel:
    """Return the rows of bars (fault, users, health, alerts, phases, nodes, pods), above them the names of the vertical marks."""
    shown, placed = frame.timeline.lanes, list(placed_labels(frame.timeline.marks, frame))
    heads = [f"{'~' * (row + 1)} " for row in range(max((row for _, _, row in placed), default=0) + 1)]
    names = [f"{i} {shortened(lane.name)}" for i, lane in enumerate(shown)]  # two lanes may have one name
    axis = alt.Axis(title=None, labelExpr="slice(datum.label, indexof(datum.label, ' ') + 1)", labelLimit=0, labelColor="var(--ink)")
    y = alt.Y("lane:N", sort=None, axis=axis, scale=alt.Scale(domain=[*heads, *names], paddingInner=0.25))
    bars = [(name, bar) for lane, name in zip(shown, names, strict=True) for bar in lane.bars]
    boxes = (_boxes(frame, [(name, bar) for name, bar in bars if bar.state == state], y) for state in FILL)
    height = LANE_PX * (len(names) + len(heads))
    return Panel((*(box for box in boxes if box), *_words(frame, bars, y), *_marks(frame, placed, heads, y, height)), height)


def _boxes(frame: Frame, bars: list[tuple[str, Bar]], y: alt.Y) -> alt.Chart | None:
    """Return the bars of one state."""
    if not bars:
        return None
    state = bars[0][1].state
    rows = [{"lane": name, "x": bar.from_s, "x2": frame.end(bar)} for name, bar in bars]
    edge, height = EDGE.get(state, "none"), THICK.get(state, alt.Undefined)
    boxes = alt.Chart(frame.data(rows)).mark_bar(fill=FILL[state], stroke=edge, strokeWidth=0.8, height=height)
    return frame.layer(boxes, x2=alt.X2("x2:Q"), y=y)


def _words(frame: Frame, bars: list[tuple[str, Bar]], y: alt.Y) -> list[alt.Chart]:
    """Return the bars' words where they fit, with a halo (style.css paints it behind them)."""
    texts = [(name, bar, bar_text(bar)) for name, bar in bars]
    fits = [
        item for item in texts if item[2] and frame.x_px(frame.end(item[1])) - frame.x_px(item[1].from_s) > len(item[2]) * GLYPH_PX + 10
    ]
    rows: list[Row] = [{"lane": name, "x": bar.from_s, "text": text} for name, bar, text in fits]
    words = alt.Chart(frame.data(rows)).mark_text(align="left", dx=5, fontSize=10, stroke="var(--paper)", strokeWidth=2.5)
    return [frame.layer(words, y=y, text=alt.Text("text:N"))] if rows else []


def _marks(frame: Frame, placed: list[tuple[Mark, bool, int]], heads: list[str], y: alt.Y, height: int) -> list[alt.Chart]:
    """Return the vertical marks of the first panel, each from its label down."""
    marks = [{"x": mark.t_s, "lane": heads[row], "text": mark_label(mark), "left": left, **look(mark)} for mark, left, row in placed]
    rules = alt.Chart(frame.data(marks)).mark_rule(strokeWidth=1.3)
    bottom = alt.Y2Value(height)
    lines = frame.layer(rules, y=y, y2=bottom, color=COLOUR, strokeDash=DASHES)
    left, right = ([row for row in marks if row["left"] is side] for side in (True, False))
    return [lines, _names(frame, left, "right", y), _names(frame, right, "left", y)]


def _names(frame: Frame, rows: list[Row], align: Literal["left", "right"], y: alt.Y) -> alt.Chart:
    texts = alt.Chart(frame.data(rows)).mark_text(align=align, dx=4 if align == "left" else -4)
    return frame.layer(texts, y=y, text=alt.Text("text:N"), color=COLOUR)


def shortened(name: str) -> str:
    """Return a name that fits beside the lanes: of a longer one, both ends; the table below the plot has it whole."""
    most = int((LEFT - 8) / GLYPH_PX)
    return name if len(name) <= most else f"{name[: most // 2]}…{name[-(most - most // 2 - 1) :]}"


def legend_of(timeline: TimeAxis) -> list[tuple[str, str, str, int]]:
    """Return (words, fill, edge, height in px) of each kind of bar that the lanes show."""
    states = {bar.state for lane in timeline.lanes for bar in lane.bars}
    return [(WORDS[state], FILL[state], EDGE.get(state, "none"), THICK.get(state, LANE_PX - 7)) for state in FILL if state in states]


def bar_text(bar: Bar) -> str:
    """Return the words inside a bar: an action's or a phase's name, an outage's length."""
    if bar.state == "outage":
        return "not over" if bar.to_s is None else seconds(bar.to_s - bar.from_s)
    return one_line(bar.label, 40)
