from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from history.plan import Slo
from runner.forecast_silent import Between, Demand, Silence, felt

SOON = Between(1.0, 1.0)
SLO = Slo(ratio=0.99, latency_ms=1000)
DEMAND = Demand(20, gateways=3, replicas=3, slo=SLO, streamed=0.0, hold_s=15)


def test_requests_that_are_sent_elsewhere_within_the_slo_are_no_outage() -> None:
    assert felt(Silence(SOON, Between(0.5, 0.8), each=False), DEMAND) == (0, 0, 0)


def test_gateways_in_step_send_one_request_each_in_a_row() -> None:
    found = felt(Silence(SOON, Between(30, 30), each=False), DEMAND)
    turn_s = DEMAND.gateways * DEMAND.replicas / DEMAND.rate_rps
    assert 1 < found.expected_s <= 1 + turn_s + 4 / DEMAND.rate_rps
    assert found.high_s < 1 + 3 * turn_s  # who learns by a request needs no check


def test_a_later_beginning_is_felt_as_much_later() -> None:
    now, later = (felt(Silence(Between(at, at), Between(30, 30), each=False), DEMAND) for at in (1.0, 10.0))
    assert later.expected_s - 9 == pytest.approx(now.expected_s, abs=0.1)


def test_more_replicas_hide_it_longer_but_a_single_one_is_met_at_once() -> None:
    few, many = (felt(Silence(SOON, Between(30, 30), each=True), replace(DEMAND, replicas=count)) for count in (1, 9))
    assert few.expected_s < many.expected_s


def test_one_gateway_loses_one_request_which_no_slo_of_99_percent_notices() -> None:
    assert felt(Silence(SOON, Between(30, 30), each=True), replace(DEMAND, gateways=1)).expected_s == 0
    strict = replace(DEMAND, gateways=1, slo=Slo(ratio=1.0, latency_ms=1000))
    assert felt(Silence(SOON, Between(30, 30), each=True), strict).expected_s > 0


def test_the_same_question_has_the_same_answer() -> None:
    silence = Silence(Between(0.1, 0.4), Between(1.2, 1.7), each=True)
    felt.cache_clear()
    first = felt(silence, DEMAND)
    felt.cache_clear()
    assert np.array_equal(first, felt(silence, DEMAND))
