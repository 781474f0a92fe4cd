"""One trial as one aligned stack of panels, t = 0 at the fault: Vega-Altair describes, vl-convert draws. No browser, no script.

Colours are names of CSS variables of the page (light, dark, print); shapes, dashes and hatches repeat what they say, for eyes without hue.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import altair as alt
import vl_convert
from altair.utils.schemapi import debug_mode

from reports.model import Trial
from reports.page.plot import panels, svg, training
from reports.page.plot.frame import LEFT, WIDTH, Frame, Panel
from reports.page.plot.lanes import lanes
from reports.text import clean
from verdict.words import count, seconds


def plot(trial: Trial, ident: str) -> str:
    """Return the plot of ``trial`` as an inline ``<svg>`` whose ids start with ``ident``; empty if there is nothing to draw."""
    shown = trial.timeline or trial.training
    if shown is None:
        return ""
    with debug_mode(arg=False):  # else Altair holds every part against Vega-Lite's schema, which a test does once for all
        spec = spec_of(trial, Frame(shown))
    raw = vl_convert.vegalite_to_svg(json.dumps(_cleaned(spec)), allowed_base_urls=[])
    who = "training" if trial.training else "users"
    return svg.thin(raw, ident, title=f"What {who} and the platform went through in run {trial.run_id}", desc=describe(trial))


def spec_of(trial: Trial, frame: Frame) -> dict[str, object]:
    """Return the plot of ``trial`` as a Vega-Lite chart."""
    return _stack([lanes(frame), *_charts(trial, frame)], frame)


def _charts(trial: Trial, frame: Frame) -> list[Panel]:
    last, timeline = replace(frame, last=True), trial.timeline
    if trial.training is not None:
        return [training.steps(frame, trial.training), training.at_stake(last, trial.training)]
    if timeline is None or trial.slo is None:
        return []
    tail = [panels.requests(frame, timeline), panels.gauges(last, timeline)] if timeline.gauges else [panels.requests(last, timeline)]
    return [panels.latency(frame, timeline, trial.slo), *tail]


def _stack(stack: list[Panel], frame: Frame) -> dict[str, object]:
    """Return the panels as one Vega-Lite chart, composed by hand: Altair's own composition copies every layer several times over."""
    rows = [{"layer": [_layer(chart) for chart in panel.layers], "width": WIDTH, "height": panel.height} for panel in stack]
    return {"vconcat": rows, "spacing": 26, "bounds": "flush", "config": _config(), "datasets": frame.datasets}


def _layer(chart: alt.Chart) -> dict[str, object]:
    return {key: value for key, value in chart.to_dict(validate=False).items() if key in {"data", "mark", "encoding"}}


def caption(trial: Trial) -> str:
    """Say what is drawn, and how it was thinned."""
    if trial.training is not None:
        return training.caption(trial.training)
    return panels.caption(trial.timeline) if trial.timeline else ""


def describe(trial: Trial) -> str:
    """Say in words what the plot of ``trial`` shows."""
    timeline = trial.timeline
    if trial.training is not None:
        return training.describe(trial.training)
    if timeline is None:
        return ""
    spans = [f"from {seconds(o.start_s)} to {seconds(o.end_s) if o.end_s is not None else 'the end of the record'}" for o in trial.outages]
    users = f"Users were not served {', and '.join(spans)} after the fault." if spans else "No outage of users was seen."
    marks = ", ".join(f"{mark.name.value} at {seconds(mark.t_s)}" for mark in timeline.marks)
    bad = count(sum(timeline.coarse.bad), "bad request")
    total = sum(timeline.coarse.offered)
    return f"{users} {bad} of {total} are shown. Marked: {marks or 'nothing'}. The table below the plot has the numbers."


def _config() -> dict[str, object]:
    axis = {
        "domain": False,
        "ticks": False,
        "labelColor": "var(--muted)",
        "gridColor": "var(--grid)",
        "labelFontSize": 10.5,
        "labelPadding": 5,
    }
    return {
        "background": None,
        "view": {"stroke": None},
        "axis": axis,
        "axisY": {"minExtent": LEFT, "maxExtent": LEFT, "titleColor": "var(--muted)"},
        "axisX": {"titleColor": "var(--muted)", "titleFontSize": 10.5, "titleFontWeight": "normal"},
        "text": {"fontSize": 10.5, "fill": "var(--ink)"},
        "line": {"strokeCap": "round", "strokeJoin": "round"},
    }


def _cleaned(value: object) -> object:
    """Return the tree with unprintable characters of every text spelled out: the drawing must be well-formed XML."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: _cleaned(item) for key, item in value.items()}
    return [_cleaned(item) for item in value] if isinstance(value, Sequence) else value
