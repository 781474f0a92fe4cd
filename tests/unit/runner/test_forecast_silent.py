from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from history.plan import Slo
from runner.drivers.platform_timers import Demand
from runner.preflight.forecast_silent import Between, Silence, felt

SOON = Between(1.0, 1.0)
SLO = Slo(ratio=0.99, latency_ms=1000)
DEMAND = Demand(20, gateways=3, replicas=3, slo=SLO, streamed=0.0, hold_s=15)
IDLE = replace(DEMAND, rate_rps=1, hold_s=300)  # nothing else is open when a request comes


def test_requests_that_are_sent_elsewhere_within_the_slo_are_no_outage() -> None:
    assert felt(Silence(SOON, Between(0.5, 0.8), each=False), DEMAND) == (0, 0, 0)


def test_each_gateway_sends_it_about_one_request_while_the_others_are_idle() -> None:
    found = felt(Silence(SOON, Between(300, 300), each=False), IDLE)
    turn_s = IDLE.gateways * IDLE.replicas / IDLE.rate_rps
    assert 1 < found.expected_s <= 1 + 3 * turn_s


def test_busy_gateways_send_it_more_while_it_is_not_taken_out() -> None:
    """With 200 requests a second each gateway has four open at each replica: so many, and not one, are what it sends there."""
    strict = replace(DEMAND, slo=Slo(ratio=0.9, latency_ms=1000))
    idle, busy = (felt(Silence(SOON, Between(30, 30), each=False), replace(strict, rate_rps=rate)) for rate in (20, 200))
    assert idle.expected_s == 0
    assert busy.expected_s > 1


def test_a_later_beginning_is_felt_as_much_later() -> None:
    now, later = (felt(Silence(Between(at, at), Between(30, 30), each=False), DEMAND) for at in (1.0, 10.0))
    assert later.expected_s - 9 == pytest.approx(now.expected_s, abs=0.1)


def test_more_replicas_hide_it_longer() -> None:
    few, many = (felt(Silence(SOON, Between(300, 300), each=True), replace(IDLE, replicas=count)) for count in (2, 9))
    assert few.expected_s < many.expected_s


def test_one_gateway_loses_one_request_which_no_slo_of_99_percent_notices() -> None:
    alone = replace(IDLE, gateways=1)
    assert felt(Silence(SOON, Between(60, 60), each=True), alone).expected_s == 0
    strict = replace(alone, slo=Slo(ratio=1.0, latency_ms=1000))
    assert felt(Silence(SOON, Between(60, 60), each=True), strict).expected_s > 0


def test_the_same_question_has_the_same_answer() -> None:
    silence = Silence(Between(0.1, 0.4), Between(1.2, 1.7), each=True)
    felt.cache_clear()
    first = felt(silence, DEMAND)
    felt.cache_clear()
    assert np.array_equal(first, felt(silence, DEMAND))
