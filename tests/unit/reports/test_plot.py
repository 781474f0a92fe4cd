from __future__ import annotations

import itertools
import re

import altair as alt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.axis import Mark, MarkName
from reports.model import Buckets, Timeline
from reports.page.plot import stack, svg
from reports.page.plot.frame import GLYPH_PX, WIDTH, Frame, mark_label, placed_labels
from reports.page.plot.panels import log_ticks, rates, rug_of, segments
from tests.unit.reports.conftest import Night


def buckets(offered: list[int], bad: list[int], low: list[float | None] | None = None, high: list[float | None] | None = None) -> Buckets:
    none: list[float | None] = [None] * len(offered)
    return Buckets(
        from_s=-2.0, width_s=0.5, to_s=-2.0 + 0.5 * len(offered), offered=tuple(offered), bad=tuple(bad),
        min_ms=tuple(low or none), p50_ms=tuple(none), p95_ms=tuple(none), max_ms=tuple(high or none),
    )  # fmt: skip


def frame(marks: tuple[Mark, ...] = ()) -> Frame:
    empty = buckets([1], [0])
    timeline = Timeline(
        zero="the fault",
        from_s=-20,
        to_s=100,
        fine=empty,
        coarse=empty,
        table=empty,
        gauges=(),
        lanes=(),
        lanes_unchanged=(),
        lanes_left_out=0,
        marks=marks,
    )
    return Frame(timeline)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60))
def test_the_rug_covers_exactly_the_buckets_with_a_bad_request(bad: list[int]) -> None:
    b = buckets([5] * len(bad), bad)
    strokes = [(a["x"], c["x"]) for a, c, gap in zip(*[iter(rug_of(b, 0.0))] * 3, strict=True) if gap["y"] is None]
    for index, count in enumerate(bad):
        middle = b.from_s + (index + 0.5) * b.width_s
        assert any(start < middle < end for start, end in strokes) == (count > 0)
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(strokes))


@given(st.lists(st.one_of(st.none(), st.tuples(st.floats(1, 50), st.floats(50, 9000))), min_size=1, max_size=60))
def test_every_extreme_is_drawn(spans: list[tuple[float, float] | None]) -> None:
    lows, highs = [s[0] if s else None for s in spans], [s[1] if s else None for s in spans]
    drawn = [row["y"] for row in segments(buckets([1] * len(spans), [0] * len(spans), lows, highs), low=0.5)]
    assert [y for y in drawn if y is not None] == [y for s in spans if s for y in s]


@given(st.lists(st.tuples(st.integers(0, 500), st.floats(0, 1)), min_size=1, max_size=50))
def test_rates_add_up_to_the_requests(counts: list[tuple[int, float]]) -> None:
    b = buckets([n for n, _ in counts], [int(n * share) for n, share in counts])
    rows = rates(b)
    widths = [after["x"] - before["x"] for before, after in itertools.pairwise(rows)]
    assert sum(row["y"] * w for row, w in zip(rows, widths, strict=False)) == pytest.approx(sum(b.offered))
    assert sum(row["good"] * w for row, w in zip(rows, widths, strict=False)) == pytest.approx(sum(b.offered) - sum(b.bad))


@given(st.lists(st.floats(-19, 100), min_size=5, max_size=5))
def test_no_label_is_crossed_by_another_or_by_a_line(times: list[float]) -> None:
    marks = tuple(Mark(name=name, t_s=t_s) for name, t_s in zip(MarkName, times, strict=True))
    drawn = frame(marks)
    placed = list(placed_labels(marks, drawn))
    boxes = []
    for mark, left, row in placed:
        x, width = drawn.x_px(mark.t_s), len(mark_label(mark)) * GLYPH_PX
        boxes.append((mark, (x - width, x) if left else (x, x + width), row))
    for mark, (start, end), row in boxes:
        for other, span, other_row in boxes:
            if other is mark:
                continue
            line = drawn.x_px(other.t_s)
            assert not (start < line < end and other_row <= row), (mark, other)
            assert other_row != row or span[1] <= start or span[0] >= end, (mark, other)
        assert start >= 0 or end <= WIDTH


NUMBERS = st.floats(-2000, 2000).map(lambda v: round(v, 3))


@given(st.lists(st.tuples(NUMBERS, NUMBERS, st.booleans()), min_size=1, max_size=200))
def test_a_thinned_path_stays_within_a_tenth_of_a_pixel(points: list[tuple[float, float, bool]]) -> None:
    data = "".join(f"{'M' if move or i == 0 else 'L'}{x},{y}" for i, (x, y, move) in enumerate(points))
    x = y = 0.0
    walked: list[tuple[float, float]] = []
    for command, rest in re.findall(r"([MlhvLHV])([^MlhvLHVz]*)", svg.path(data)):
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", rest)]
        dx, dy = {"M": (numbers[0] - x, numbers[-1] - y), "l": (numbers[0], numbers[-1]), "h": (numbers[0], 0.0), "v": (0.0, numbers[0])}[
            command
        ]
        x, y = x + dx, y + dy
        walked.append((x, y))
    assert len(walked) == len(points)
    for (x, y), (wanted_x, wanted_y, _) in zip(walked, points, strict=True):
        assert abs(x - wanted_x) <= 0.0501
        assert abs(y - wanted_y) <= 0.0501


def test_curves_are_only_rounded() -> None:
    assert svg.path("M1.234,5.678C1.23,4.56,7.89,0.12,3.45,6.78Z") == "M1.2,5.7C1.2,4.6,7.9,0.1,3.5,6.8Z".replace(
        "3.5", svg.path("M3.45,0C0,0,0,0,0,0")[1:4]
    )


def test_thinning_drops_what_is_not_known_and_what_draws_nothing() -> None:
    raw = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="20" onload="x()"><script>x()</script><g class="a" role="b">'
        '<path class="background" d="M0,0h1"/><path d="M1.23,4.56L7,8" stroke="red" onclick="x()"/><image href="http://x"/></g></svg>'
    )
    thinned = svg.thin(raw, "p", "a < b", 'c "d"')
    assert thinned == (
        '<svg width="10" height="20" viewBox="0 0 10 20" font-family="sans-serif" role="img" aria-labelledby="p-title p-desc" class="plot">'
        '<title id="p-title">a &lt; b</title>'
        '<desc id="p-desc">c "d"</desc><path d="M1.2 4.6l5.8 3.4" stroke="red" /></svg>'
    )


@pytest.mark.parametrize(("low", "high"), [(0.01, 0.02), (5, 700), (0.3, 9000), (40, 60)])
def test_log_ticks_lie_inside_and_are_few(low: float, high: float) -> None:
    ticks = log_ticks(low, high)
    assert all(low <= tick <= high for tick in ticks)
    assert len(ticks) <= 7


def test_every_part_of_a_plot_is_vega_lite_by_its_schema(night: Night) -> None:
    """Altair holds each part against the schema when it is made; drawing leaves that out."""
    with pytest.raises(alt.utils.schemapi.SchemaValidationError):
        alt.Axis(grid="no truth value")
    trials = [trial for experiment in night.report.experiments for trial in experiment.trials]
    for trial in trials:
        assert trial.timeline is not None
        assert stack.spec_of(trial, Frame(trial.timeline))["vconcat"]
