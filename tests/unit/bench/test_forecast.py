from __future__ import annotations

import pytest

from bench.accuracy.forecast import Hit, Pair, Row, best, page, summary
from bench.accuracy.hindcast import hindcast
from history.plan import Forecast
from testing.histories.mutations import HIT
from testing.histories.truth import build


@pytest.mark.parametrize(
    ("pair", "hit"),
    [
        (Pair(10.0, 11.9, censored=False, read_s=0.05), Hit.RIGHT),
        (Pair(10.0, 8.1, censored=False, read_s=0.05), Hit.RIGHT),
        (Pair(10.0, 12.1, censored=False, read_s=0.05), Hit.WRONG),
        (Pair(0.0, 0.0, censored=False, read_s=0.05), Hit.RIGHT),  # none was forecast, none was felt
        (Pair(0.0, 0.04, censored=False, read_s=0.05), Hit.UNREADABLE),
        (Pair(0.0, 0.5, censored=False, read_s=0.05), Hit.WRONG),
        (Pair(0.8, 0.0, censored=False, read_s=0.05), Hit.WRONG),
        (Pair(0.1, 0.13, censored=False, read_s=0.05), Hit.UNREADABLE),
        (Pair(0.5, 0.0, censored=False, read_s=0.05, range_s=(0.0, 0.9)), Hit.LIKELY),
        (Pair(0.5, 0.92, censored=False, read_s=0.05, range_s=(0.0, 0.9)), Hit.LIKELY),
        (Pair(0.5, 0.97, censored=False, read_s=0.05, range_s=(0.0, 0.9)), Hit.WRONG),
        (Pair(10.0, 10.0, censored=True, read_s=0.05), Hit.WRONG),  # a lower bound proves nothing
        (Pair(10.0, None, censored=False, read_s=0.05), Hit.WRONG),
    ],
)
def test_a_forecast_is_right_within_a_fifth_and_what_is_nearer_than_it_can_be_read_or_foretold_is_told_apart(pair: Pair, hit: Hit) -> None:
    assert pair.hit is hit


def test_the_page_shows_every_run_and_says_what_was_not_measured() -> None:
    rto, capacity = Pair(0.0, 0.5, censored=False, read_s=0.05), Pair(70.0, 40.0, censored=True, read_s=0.5)
    rows = [Row("r1", "serving/zone-lost", "a1", rto, capacity, "evict", "")]
    assert summary(rows)[:2] == [
        "- RTO: 0 of 1 within 20%, 1 wrong",
        "- capacity RTO: 0 of 0 within 20%, 0 wrong (1 more was watched too briefly to know)",
    ]
    assert "within 20% of 1 of 1 (RTO) and 0 of 0 (capacity RTO)" in summary(rows)[2]
    assert "| serving/zone-lost | r1 | none | 0.50 s | **wrong** | 70.00 s | > 40.0 s | – | evict, – |" in page(
        rows, [], "python -m bench.accuracy.forecast"
    )


@pytest.mark.parametrize(
    ("measured_s", "right"),
    [([], 0), ([5.0], 1), ([1.0, 1.5], 2), ([1.0, 1.51], 1), ([0.0, 0.0, 1.0], 2), ([4.0, 5.0, 6.0, 25.0], 3)],
)
def test_how_often_one_figure_could_have_been_right_in_hindsight(measured_s: list[float], right: int) -> None:
    assert best(measured_s) == right


def test_a_stored_run_is_forecast_again_from_what_it_kept_and_the_shipped_manifests() -> None:
    plan = build(HIT).run.plan
    info = plan.experiment.model_copy(update={"id": "serving/gpu-node-lost"})
    kept = Forecast(rto_s=2.7, capacity_rto_s=75.5, dominant="evict", parts={"evict": 67.3, "start": 1.0, "load": 4.0})
    timers = plan.timers.model_copy(update={"deadline_parts": {"fault": 120.0}})
    again = hindcast(plan.model_copy(update={"experiment": info, "forecast": kept, "timers": timers}))
    assert again is not None
    assert again.dominant == "evict"
    assert again.capacity_rto_s == pytest.approx(50 - 5 + 2.5 + 20 + 1 + 1 + 4)  # lease and monitor on average, toleration, a new pod
    assert hindcast(plan.model_copy(update={"forecast": None})) is None


def test_the_summary_counts_apart_what_is_within_the_resolution_and_what_is_within_the_range() -> None:
    capacity = Pair(10.0, 11.0, censored=False, read_s=0.5)
    felt = (Pair(0.5, 0.55, censored=False, read_s=0.05), Pair(0.0, 0.04, False, 0.05), Pair(0.5, 0.8, False, 0.05, (0.0, 0.9)))
    rows = [Row("r1", "serving/engine-frozen", "a1", pair, capacity, "start", "start") for pair in felt]
    assert summary(rows)[0] == (
        "- RTO: 1 of 3 within 20%, 1 more within the resolution, 1 more within its range, 0 wrong; median error 35%, largest 60%"
    )
    assert "| 0.50 s (0.00–0.90) | 0.80 s | +60% within its range |" in page(rows, [], "python -m bench.accuracy.forecast")
