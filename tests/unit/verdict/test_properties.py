"""What must hold of any run, tried on runs that Hypothesis draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from history.reader import Run
from history.result import RANK, RunVerdict, Verdict
from history.schema import SCHEDULE
from testing.histories.truth import Hit, World, build
from verdict import judge
from verdict.inputs.outages import Rule, find_outages

SECOND_NS = 1_000_000_000
TIMES = ("intended_ns", "sent_ns", "first_byte_ns", "done_ns")

hits = st.builds(Hit, st.floats(0, 3), st.floats(0.1, 4), st.sampled_from([0.1, 0.5, 1.0]), st.sampled_from(["fail", "slow", "hang"]))
worlds = st.builds(
    World,
    hits=st.lists(hits, max_size=2).map(tuple),
    rate_rps=st.sampled_from([30.0, 60.0]),
    seed=st.integers(0, 50),
    spikes=st.sampled_from([0.0, 1e-3]),
    workers=st.integers(1, 3),
)
few = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
many = settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def value(verdict: RunVerdict, name: str) -> float | None:
    found = verdict.measurement(name)
    return found.value if found else None


@few
@given(world=worlds, shift_ns=st.integers(-(10**17), 10**17))
def test_shifting_all_times_changes_nothing(world: World, shift_ns: int) -> None:
    run = build(world).run
    moved = replace(
        run,
        requests=run.requests.with_columns(pl.col(name) + shift_ns for name in TIMES),
        events=run.events.with_columns(pl.col("t_ns") + shift_ns),
        samples=run.samples.with_columns(pl.col("t_ns") + shift_ns),
    )
    before, after = judge(run), judge(moved)
    assert after.checks == before.checks
    assert after.measurements == before.measurements


@few
@given(world=worlds, order=st.permutations(range(3)))
def test_merging_workers_files_in_any_order_changes_nothing(world: World, order: list[int]) -> None:
    run = build(replace(world, workers=3)).run
    parts = [run.requests.filter(pl.col("worker") == f"w{number}") for number in order]
    assert judge(replace(run, requests=pl.concat(parts))) == judge(run)


@few
@given(world=worlds, share=st.floats(0, 1))
def test_removing_a_row_never_makes_a_run_pass_and_never_shortens_its_rto(world: World, share: float) -> None:
    run = build(world).run
    row = int(share * (run.requests.height - 1))
    before, after = judge(run), judge(replace(run, requests=run.requests.filter(pl.int_range(pl.len()) != row)))
    assert after.verdict is not Verdict.PASS
    assert RANK[after.verdict] >= min(RANK[before.verdict], RANK[Verdict.INCONCLUSIVE])
    assert (value(after, "rto") or 0.0) >= (value(before, "rto") or 0.0)
    assert (value(after, "requests_bad") or 0.0) >= (value(before, "requests_bad") or 0.0)


@few
@given(world=worlds, later_s=st.floats(0.5, 9.0))
def test_one_more_good_request_after_recovery_never_raises_rto(world: World, later_s: float) -> None:
    run = build(replace(world, workers=1)).run
    before = judge(run)
    after = judge(one_more_good(run, round(((value(before, "rto") or 0.0) + later_s) * 1e9)))
    assert (value(after, "rto") or 0.0) <= (value(before, "rto") or 0.0)


def one_more_good(run: Run, after_fault_ns: int) -> Run:
    """Return ``run`` with one more scheduled request that was served at once."""
    start_ns = int(run.requests["intended_ns"].min())  # type: ignore[arg-type]  # int64 column
    template = run.requests.filter(pl.col("outcome") == "ok").sort("intended_ns")[:1]
    at_ns = 1_790_000_000_000_000_000 + after_fault_ns
    late = at_ns - pl.col("intended_ns").first()
    row = template.with_columns(pl.col(name) + late for name in TIMES).with_columns(request_id=pl.lit(run.schedule.height, pl.Int64()))
    first = int(run.schedule["offset_ns"].min())  # type: ignore[arg-type]  # int64 column
    new = {
        "request_id": run.schedule.height,
        "offset_ns": at_ns - start_ns + first,
        "stream": False,
        "prompt_id": 0,
        "max_tokens": 8,
        "worker": 0,
    }
    rows = pl.concat([run.requests, row]).sort("done_ns", maintain_order=True)
    return replace(run, requests=rows, schedule=pl.concat([run.schedule, pl.DataFrame([new], schema=SCHEDULE)]))


@st.composite
def goods(draw: st.DrawFn) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Draw which of 2,000 arrivals are good: stretches of good, bad and mixed ones."""
    parts = draw(st.lists(st.tuples(st.integers(1, 300), st.sampled_from([0.0, 0.005, 0.02, 0.3, 1.0])), min_size=1, max_size=8))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    bad = np.concatenate([rng.random(length) < share for length, share in parts])
    return ~np.resize(np.concatenate([bad, np.zeros(2000, dtype=np.bool_)]), 2000)


@many
@given(good=goods(), hold_s=st.sampled_from([1, 3, 10]))
def test_outages_and_residue_account_for_every_bad_request(good: np.ndarray[tuple[int], np.dtype[np.bool_]], hold_s: int) -> None:
    t_ns = np.arange(len(good)) * SECOND_NS // 100
    found = find_outages(t_ns, good, Rule(0.99, hold_s * SECOND_NS), int(t_ns[-1]))
    assert sum(span.bad for span in found.outages) + found.residue == int((~good).sum())
    ends = [span.end_ns for span in found.outages]
    for before, after in zip(ends, found.outages[1:], strict=False):
        assert before is not None
        assert before <= after.start_ns


@many
@given(good=goods(), hold_s=st.sampled_from([1, 3, 10]))
def test_after_an_outage_the_running_share_stays_at_the_slo_for_a_hold(
    good: np.ndarray[tuple[int], np.dtype[np.bool_]], hold_s: int
) -> None:
    t_ns = np.arange(len(good)) * SECOND_NS // 100
    for span in find_outages(t_ns, good, Rule(0.99, hold_s * SECOND_NS), int(t_ns[-1])).outages:
        if span.held and span.end_ns is not None:
            hold = good[(t_ns >= span.end_ns) & (t_ns <= span.end_ns + hold_s * SECOND_NS)]
            assert (np.cumsum(hold) / np.arange(1, len(hold) + 1) >= 0.99 - 1e-9).all()


@many
@given(good=goods(), factor=st.sampled_from([2, 5]))
def test_scaling_time_and_hold_scales_the_outages(good: np.ndarray[tuple[int], np.dtype[np.bool_]], factor: int) -> None:
    t_ns = np.arange(len(good)) * SECOND_NS // 100
    once = find_outages(t_ns, good, Rule(0.99, 3 * SECOND_NS), int(t_ns[-1]))
    scaled = find_outages(t_ns * factor, good, Rule(0.99, 3 * SECOND_NS * factor), int(t_ns[-1]) * factor)
    assert [(s.start_ns * factor, s.bad) for s in once.outages] == [(s.start_ns, s.bad) for s in scaled.outages]


@many
@given(good=goods(), index=st.integers(0, 1999))
def test_one_more_bad_request_never_ends_the_last_outage_earlier(good: np.ndarray[tuple[int], np.dtype[np.bool_]], index: int) -> None:
    t_ns = np.arange(len(good)) * SECOND_NS // 100
    worse = good.copy()
    worse[index] = False
    before, after = (find_outages(t_ns, g, Rule(0.99, 3 * SECOND_NS), int(t_ns[-1])) for g in (good, worse))
    last = max((s.last_bad_ns for s in before.outages), default=0)
    assert max((s.last_bad_ns for s in after.outages), default=0) >= last
