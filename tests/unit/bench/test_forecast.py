from __future__ import annotations

import pytest

from bench.forecast import Pair, Row, page, summary
from bench.hindcast import hindcast
from history.plan import Forecast
from tests.support.mutations import HIT
from tests.support.truth import build


@pytest.mark.parametrize(
    ("pair", "right"),
    [
        (Pair(10.0, 11.9, censored=False, read_s=0.05), True),
        (Pair(10.0, 8.1, censored=False, read_s=0.05), True),
        (Pair(10.0, 12.1, censored=False, read_s=0.05), False),
        (Pair(0.0, 0.0, censored=False, read_s=0.05), True),  # none was forecast, none was felt
        (Pair(0.0, 0.04, censored=False, read_s=0.05), True),
        (Pair(0.0, 0.5, censored=False, read_s=0.05), False),
        (Pair(0.8, 0.0, censored=False, read_s=0.05), False),
        (Pair(0.1, 0.13, censored=False, read_s=0.05), True),  # closer than it can be read
        (Pair(10.0, 10.0, censored=True, read_s=0.05), False),  # a lower bound proves nothing
        (Pair(10.0, None, censored=False, read_s=0.05), False),
    ],
)
def test_a_forecast_is_right_within_a_fifth_or_closer_than_it_can_be_read(pair: Pair, right: bool) -> None:
    assert pair.right is right


def test_the_page_shows_every_run_and_says_what_was_not_measured() -> None:
    rto, capacity = Pair(0.0, 0.5, censored=False, read_s=0.05), Pair(70.0, 40.0, censored=True, read_s=0.5)
    rows = [Row("r1", "serving/zone-lost", "a1", rto, capacity, "evict", "")]
    assert summary(rows) == [
        "- RTO: 0 of 1 forecasts right",
        "- capacity RTO: 0 of 0 forecasts right (1 more were watched too briefly to know)",
    ]
    assert "| serving/zone-lost | r1 | none | 0.50 s | **wrong** | 70.00 s | > 40.0 s | – | evict, – |" in page(
        rows, [], "python -m bench.forecast"
    )


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
