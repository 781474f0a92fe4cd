"""What all panels of a plot share: the time axis, colours, vertical marks, legends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import altair as alt

from reports.axis import Bar, Mark, MarkName, TimeAxis
from reports.text import at_seconds
from verdict.words import seconds

WIDTH = 772
LEFT = 200
GLYPH_PX = 6.0
"""Mean width of a character at the labels' size; it keeps labels apart."""
DASH = {MarkName.IMPACT: [1.5, 3], MarkName.DETECTED: [6, 2, 1, 2], MarkName.DEADLINE: [8, 3]}
INK = {MarkName.FAULT: "var(--fault)", MarkName.RECOVERED: "var(--good)", MarkName.IMPACT: "var(--bad)"}
COLOUR = alt.Color("colour:N", scale=None, legend=None)
ABOVE = alt.YValue(-9)
DASHES = alt.StrokeDash("dash:N", scale=None, legend=None)
AS_GIVEN = alt.OrderValue(None)
"""A line goes through its rows as they are given; Vega would sort them else."""

Row = dict[str, Any]
Legend = tuple[tuple[str, str, str], ...]
"""(sign, text, colour) of each kind of line."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Layers drawn over each other, ``height`` pixels high."""

    layers: tuple[alt.Chart, ...]
    height: int


@dataclass(frozen=True, slots=True)
class Frame:
    """What all panels share."""

    timeline: TimeAxis
    last: bool = False
    datasets: dict[str, list[Row]] = field(default_factory=dict)  # by name: Altair would copy rows inside a chart many times over

    def data(self, rows: Iterable[Row]) -> alt.NamedData:
        """Keep ``rows`` for the chart and return their name."""
        name = f"d{len(self.datasets)}"
        self.datasets[name] = list(rows)
        return alt.NamedData(name=name)

    def x(self, name: str) -> alt.X:
        """Return the shared time axis; only the last panel writes its numbers."""
        title = f"seconds after {self.timeline.zero}" if self.last else None
        axis = alt.Axis(labels=self.last, title=title, grid=True, tickCount=10, labelFlush=True)
        return alt.X(name, type="quantitative", axis=axis, scale=alt.Scale(domain=[self.timeline.from_s, self.timeline.to_s], nice=False))

    def layer(self, chart: alt.Chart, **channels: Any) -> alt.Chart:  # noqa: ANN401 - Altair's channels
        """Return ``chart`` with its channels on the shared time axis."""
        made: alt.Chart = chart.encode(x=self.x("x"), **channels)
        return made

    def end(self, bar: Bar) -> float:
        """Return where ``bar`` ends within the plot."""
        return self.timeline.to_s if bar.to_s is None else bar.to_s

    def x_px(self, t_s: float) -> float:
        """Return the pixel of ``t_s`` within a panel."""
        return (t_s - self.timeline.from_s) / (self.timeline.to_s - self.timeline.from_s) * WIDTH

    def t_s(self, px: float) -> float:
        """Return the time at pixel ``px`` of a panel."""
        return self.timeline.from_s + px / WIDTH * (self.timeline.to_s - self.timeline.from_s)


def shade(frame: Frame) -> list[alt.Chart]:
    """Return the fault's window as a tint behind a panel."""
    bars = [bar for lane in frame.timeline.lanes if lane.group == "fault" for bar in lane.bars]
    rows = [{"x": bar.from_s, "x2": frame.end(bar)} for bar in bars]
    return [frame.layer(alt.Chart(frame.data(rows)).mark_rect(fill="var(--shade)"), x2=alt.X2("x2:Q"))] if rows else []


def rules(frame: Frame) -> alt.Chart:
    """Return the vertical marks, drawn through every panel."""
    rows = [{"x": mark.t_s, **look(mark)} for mark in frame.timeline.marks]
    return frame.layer(alt.Chart(frame.data(rows)).mark_rule(strokeWidth=1.3), color=COLOUR, strokeDash=DASHES)


def look(mark: Mark) -> Row:
    """Return the colour and dashes of a vertical mark."""
    return {"colour": INK.get(mark.name, "var(--ink)"), "dash": DASH.get(mark.name, [1, 0])}


def legend(frame: Frame, title: str, entries: Legend) -> alt.Chart:
    """Return a panel's name and the signs of its lines, above it."""
    texts = [(title, "var(--ink)", 600), *((f"{sign} {text}", colour, 400) for sign, text, colour in entries)]
    ends = accumulate(len(text) * GLYPH_PX * (1.12 if weight > 400 else 1) + 14 for text, _, weight in texts)
    rows = [
        {"x": frame.t_s(px), "text": text, "colour": colour, "weight": weight}
        for (text, colour, weight), px in zip(texts, [0.0, *ends], strict=False)
    ]
    chart = alt.Chart(frame.data(rows)).mark_text(align="left", fontWeight=alt.ExprRef("datum.weight"))
    return frame.layer(chart, y=ABOVE, text=alt.Text("text:N"), color=COLOUR)


def mark_label(mark: Mark) -> str:
    """Return the words beside a vertical mark."""
    if mark.name is MarkName.FAULT:
        return "fault"
    return f"{mark.name.value} {seconds(mark.t_s) if mark.name is MarkName.DEADLINE else at_seconds(mark.t_s)}"


def placed_labels(marks: Iterable[Mark], frame: Frame) -> Iterable[tuple[Mark, bool, int]]:
    """Yield (mark, is its label left of it, row), so that no label is crossed by another label or by a mark's line.

    Lines go down from their label's row, so a mark under an earlier label goes one row below it.
    """
    placed: list[tuple[float, float, int]] = []  # from, to (px), row
    for mark in sorted(marks, key=lambda m: m.t_s):
        x, width = frame.x_px(mark.t_s), len(mark_label(mark)) * GLYPH_PX + 10
        left = x + width > WIDTH and not any(end > x - width for _, end, _ in placed)
        row = max((row + 1 for start, end, row in placed if start <= x < end), default=0)
        placed.append((x - width, x, row) if left else (x, x + width, row))
        yield mark, left, row
