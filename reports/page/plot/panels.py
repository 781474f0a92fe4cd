"""The panels of measured values below the lanes: latency, requests a second, requests waiting."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import altair as alt

from history.workloads import Slo
from reports.model import Buckets, Gauge, Timeline
from reports.page.plot.frame import AS_GIVEN, Frame, Panel, Row, legend, rules, shade
from verdict.words import number, seconds

GAUGES = {"in_flight": ("in flight", "var(--p50)", [1, 0]), "queue_depth": ("waiting in engines", "var(--p95)", [4, 2])}


def latency(frame: Frame, timeline: Timeline, slo: Slo) -> Panel:
    """Return latency: true extremes of every two pixels, p50 and p95, and the SLO's limits."""
    fine, coarse = timeline.fine, timeline.coarse
    limits = [value for value in (slo.latency_ms, slo.ttft_ms) if value is not None]
    known = [v for v in (*fine.min_ms, *fine.max_ms, *limits) if v is not None and v > 0]
    low, high = min(known) * 0.8, max(known) * 1.25
    axis = alt.Axis(
        title=None, values=log_ticks(low, high), labelExpr="datum.value < 1000 ? datum.value + ' ms' : datum.value / 1000 + ' s'"
    )
    y = alt.Y("y:Q", axis=axis, scale=alt.Scale(type="log", domain=[low, high], nice=False))
    extremes = _path(frame, segments(fine, low), y, color="var(--band)", strokeWidth=2, strokeCap="square")
    p50 = _path(frame, points(coarse, coarse.p50_ms), y, color="var(--p50)", strokeWidth=1.6)
    p95 = _path(frame, points(coarse, coarse.p95_ms), y, color="var(--p95)", strokeWidth=1.6, strokeDash=[5, 2])
    allowed: alt.Chart = alt.Chart(frame.data({"y": v} for v in limits)).mark_rule(color="var(--ink)", strokeDash=[2, 2]).encode(y=y)
    said = f"SLO {seconds(slo.latency_ms / 1e3)}" + (f", first token {seconds(slo.ttft_ms / 1e3)}" if slo.ttft_ms else "")
    signs = (
        ("━", "p50", "var(--p50)"),
        ("╍", "p95", "var(--p95)"),
        ("▮", "least to largest", "var(--bandtext)"),
        ("┄", said, "var(--ink)"),
    )
    return Panel((*shade(frame), extremes, p50, p95, allowed, rules(frame), legend(frame, "Latency of answers (log scale)", signs)), 140)


def log_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2, 5 × powers of ten within [low, high]; only the powers if those are enough."""
    powers = [10.0**k for k in range(-2, 7)]
    fine = [v * p for p in powers for v in (1, 2, 5) if low <= v * p <= high]
    return [p for p in powers if low <= p <= high] if len(fine) > 7 else fine


def _path(frame: Frame, rows: list[Row], y: alt.Y, **look: Any) -> alt.Chart:  # noqa: ANN401 - looks of a mark
    return frame.layer(alt.Chart(frame.data(rows)).mark_line(**look), y=y, order=AS_GIVEN)


def segments(buckets: Buckets, low: float) -> list[Row]:
    """Return one vertical stroke a bucket, from its least to its largest latency, as one broken line."""
    rows: list[Row] = []
    for index, (least, largest) in enumerate(zip(buckets.min_ms, buckets.max_ms, strict=True)):
        if least is None or largest is None:
            continue
        x = buckets.from_s + (index + 0.5) * buckets.width_s
        rows += [{"x": x, "y": max(least, low)}, {"x": x, "y": max(largest, low)}, {"x": x, "y": None}]
    return rows


def points(buckets: Buckets, values: tuple[float | None, ...]) -> list[Row]:
    """Return a line through the middles of ``buckets``, broken where nothing was answered."""
    return [{"x": buckets.from_s + (i + 0.5) * buckets.width_s, "y": value} for i, value in enumerate(values)]


def requests(frame: Frame, timeline: Timeline) -> Panel:
    """Return good and bad requests a second, stacked to what was offered, and a tick wherever a request was bad."""
    rows = rates(timeline.coarse)
    top = max(row["y"] for row in rows) * 1.08 or 1.0
    axis = alt.Axis(title=None, tickCount=4, labelExpr="datum.value < 0 ? '' : format(datum.value, ',~r') + ' /s'")
    scale = alt.Scale(domain=[-0.09 * top, top], nice=False)
    y, base = alt.Y("y:Q", axis=axis, scale=scale), alt.Chart(frame.data(rows))
    good_y = alt.Y("good:Q", axis=axis, scale=scale)
    good = frame.layer(base.mark_area(interpolate="step-after", fill="var(--goodfill)"), y=good_y, y2=alt.Y2Datum(0))
    bad = frame.layer(base.mark_area(interpolate="step-after", fill="url(#hatch-bad)"), y=y, y2=alt.Y2("good:Q"))
    offered = frame.layer(base.mark_line(interpolate="step-after", color="var(--ink)", strokeWidth=1), y=y)
    rug = _path(frame, rug_of(timeline.fine, -0.05 * top), y, color="var(--bad)", strokeWidth=7, strokeCap="butt")
    signs = (
        ("▆", "good", "var(--good)"),
        ("▨", "bad", "var(--bad)"),
        ("━", "offered", "var(--ink)"),
        ("▮", "below: any bad request", "var(--bad)"),
    )
    title = legend(frame, "Requests a second, by when users asked", signs)
    return Panel((*shade(frame), good, bad, offered, rug, rules(frame), title), 110)


def rates(buckets: Buckets) -> list[Row]:
    """Return offered (y) and good requests a second as steps; the last step is drawn to the end of its bucket."""
    edges = [*(buckets.from_s + i * buckets.width_s for i in range(len(buckets.offered))), buckets.to_s]
    rows: list[Row] = [
        {"x": start, "y": n / (end - start), "good": (n - bad) / (end - start)}
        for (start, end), n, bad in zip(pairwise(edges), buckets.offered, buckets.bad, strict=True)
    ]
    return [*rows, rows[-1] | {"x": buckets.to_s}]


def rug_of(fine: Buckets, y: float) -> list[Row]:
    """Return strokes along ``y`` over every bucket with a bad request; neighbours join."""
    rows: list[Row] = []
    for index, bad in enumerate(fine.bad):
        left, right = fine.from_s + index * fine.width_s, fine.from_s + (index + 1) * fine.width_s
        if not bad:
            continue
        if index and fine.bad[index - 1]:
            rows[-2]["x"] = right
        else:
            rows += [{"x": left, "y": y}, {"x": right, "y": y}, {"x": right, "y": None}]
    return rows


def gauges(frame: Frame, timeline: Timeline) -> Panel:
    """Return requests in flight and waiting, each bucket's largest value."""
    shown = timeline.gauges
    y = alt.Y("y:Q", axis=alt.Axis(title=None, tickCount=3, format=",~r"), scale=alt.Scale(zero=True, nice=True))
    lines = [_gauge(frame, gauge, y) for gauge in shown]
    signs = tuple(("━" if GAUGES[g.name][2] == [1, 0] else "╍", GAUGES[g.name][0], GAUGES[g.name][1]) for g in shown)
    return Panel((*shade(frame), *lines, rules(frame), legend(frame, "Requests waiting (largest of each bucket)", signs)), 70)


def _gauge(frame: Frame, gauge: Gauge, y: alt.Y) -> alt.Chart:
    _, colour, dash = GAUGES[gauge.name]
    rows = [{"x": min(gauge.from_s + i * gauge.width_s, frame.timeline.to_s), "y": value} for i, value in enumerate(gauge.values)]
    return _path(frame, rows, y, color=colour, strokeWidth=1.5, strokeDash=dash, interpolate="step-after")


def caption(timeline: Timeline) -> str:
    """Say how the plot of requests was thinned."""
    fine, coarse = timeline.fine, timeline.coarse
    return (
        f"Latency is drawn from the least to the largest in every {seconds(fine.width_s)} (two pixels), so no spike is hidden; "
        f"rates and percentiles are one value per {seconds(coarse.width_s)}; {number(sum(coarse.offered), 9)} requests."
    )
