"""Runs of asynchronous jobs: what each check says, and that nothing passes for lack of a record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from history.close import close_run
from history.plan import write_plan
from history.reader import LEDGERS, read_run
from history.result import RunVerdict, Verdict
from history.schema import EventKind
from testing.histories.edits import add_event, with_plan
from testing.histories.job_runs import FAULT_S, JobStory, run_of_jobs
from testing.histories.layouts import layout, role
from testing.histories.training_stories import check, value
from verdict.judge import judge

AT_FAULT = int((FAULT_S + 5) * 4)


def judged(story: JobStory | None = None) -> RunVerdict:
    return judge(run_of_jobs(story or JobStory()))


def test_accepted_work_waits_is_done_once_and_fetched() -> None:
    verdict = judged()
    assert verdict.verdict is Verdict.PASS, verdict.sentence
    assert check(verdict, "ended_once").sentence == "Each of 560 accepted jobs ended exactly once."
    assert check(verdict, "fetched").sentence == "The results of all 560 jobs were fetched, 280 of clients that had cancelled."
    assert (value(verdict, "jobs_accepted"), value(verdict, "jobs_lost")) == (560, 0)


def test_the_time_until_jobs_are_done_in_time_has_the_drain_in_it() -> None:
    verdict = judged()
    # 20 s without engines leave 82 jobs; at 8 a second, while 4 a second arrive, they are late by 10 s or more for a while
    assert 10 < value(verdict, "rto") < 40
    assert value(verdict, "backlog_most") == pytest.approx(82, abs=2)
    assert value(verdict, "oldest_job") == pytest.approx(20.5, abs=0.5)
    bound, drain = value(verdict, "backlog_drain_bound"), value(verdict, "backlog_drain")
    assert bound == pytest.approx(20, abs=1.5)
    assert drain == pytest.approx(bound, abs=2)
    assert value(verdict, "rto_resolution") == pytest.approx(0.5)  # from job to job, and from look to look


def test_a_stored_run_is_read_and_judged_alike(tmp_path: Path) -> None:
    run = run_of_jobs(JobStory(lost=frozenset({AT_FAULT})))
    (tmp_path / LEDGERS).mkdir()
    write_plan(run.plan, tmp_path)
    for name, rows in run.ledgers.items():
        (tmp_path / LEDGERS / f"{name}.driver.jsonl").write_text(rows.write_ndjson())
    (tmp_path / "events.runner.jsonl").write_text(run.events.write_ndjson())
    close_run(tmp_path)
    assert judge(read_run(tmp_path)) == judge(run)


@pytest.mark.parametrize(
    ("story", "name", "says"),
    [
        (JobStory(lost=frozenset({AT_FAULT})), "ended_once", f"1 accepted job never ended (j{AT_FAULT})"),
        (JobStory(lost=frozenset({AT_FAULT})), "rpo_jobs", "1 acknowledged job never ended; the budget is 0"),
        (JobStory(twice=frozenset({7, AT_FAULT})), "ended_once", f"2 jobs ended more than once (j7 and j{AT_FAULT})"),
        (JobStory(unfetched=frozenset({8})), "fetched", "1 result could not be fetched (j8)"),
        (JobStory(wrong=frozenset({9})), "fetched", "1 result is wrong (j9)"),
        (JobStory(rto_s=5), "rto", "after the fault"),
    ],
)
def test_what_is_wrong_is_found_by_the_check_that_is_about_it(story: JobStory, name: str, says: str) -> None:
    found = check(judged(story), name)
    assert found.verdict is Verdict.FAIL, found
    assert says in found.sentence


@pytest.mark.parametrize(
    ("story", "hit", "cause"),
    [
        (JobStory(lost=frozenset({AT_FAULT})), "consumer", "acknowledged-first"),
        (JobStory(lost=frozenset({AT_FAULT})), "redis", "queue-in-memory"),
        (JobStory(unfetched=frozenset(range(100))), "redis", "queue-in-memory"),
        (JobStory(unfetched=frozenset(range(400, 500))), "redis", "results-forgotten"),
    ],
)
def test_whoever_lost_an_accepted_job_or_its_result_is_told_why(story: JobStory, hit: str, cause: str) -> None:
    run = add_event(run_of_jobs(story), 1.0, EventKind.POD_READY, "engine", role=hit)
    roles = (role(role="consumer", where="Deployment consumer"), role(role="redis", where="StatefulSet redis", wanted=1, ready=1))
    verdict = judge(with_plan(run, layout=layout(*roles)))
    assert [one.cause for one in verdict.advice or ()] == [cause]


def test_what_still_stands_in_the_queue_at_the_end_is_measured() -> None:
    assert value(judged(), "backlog_left") == 0
    assert value(judged(JobStory(unfetched=frozenset({8, 400}))), "results_missing") == 2
    assert value(judged(JobStory(unfetched=frozenset({8, 400}))), "results_missing_since") == 1


def test_work_begun_again_is_told_and_fails_nothing() -> None:
    verdict = judged(JobStory(again=frozenset({AT_FAULT, AT_FAULT + 1})))
    assert verdict.verdict is Verdict.PASS, verdict.sentence
    assert "work on 2 was begun more than once, which each of them says" in check(verdict, "ended_once").sentence


def test_a_full_queue_refuses_and_loses_nothing() -> None:
    refused = frozenset(range(AT_FAULT, AT_FAULT + 20))
    verdict = judged(JobStory(refused=refused))
    assert check(verdict, "ended_once").verdict is Verdict.PASS
    measured = verdict.measurement("jobs_refused")
    assert measured is not None
    assert (measured.value, measured.sentence) == (20, "20 of them because the queue was full")


@pytest.mark.parametrize("name", ["jobs_submitted", "jobs_ended", "jobs_fetched", "jobs_backlog"])
def test_a_missing_ledger_is_never_a_pass(name: str) -> None:
    run = run_of_jobs(JobStory())
    verdict = judge(replace(run, ledgers={key: rows for key, rows in run.ledgers.items() if key != name}))
    assert verdict.verdict is not Verdict.PASS
    assert check(verdict, "history").verdict is Verdict.INCONCLUSIVE


def test_jobs_that_went_wrong_before_the_fault_are_no_baseline() -> None:
    verdict = judged(JobStory(dead=frozenset(range(40, 100))))
    assert check(verdict, "baseline").verdict is Verdict.INCONCLUSIVE
    assert verdict.verdict is Verdict.INCONCLUSIVE


def test_a_load_that_was_not_offered_is_no_load() -> None:
    run = run_of_jobs(JobStory())
    fewer = run.ledgers["jobs_submitted"].gather_every(2)
    verdict = judge(replace(run, ledgers=run.ledgers | {"jobs_submitted": fewer}))
    assert "2.01 jobs/s were submitted of 4" in check(verdict, "load").sentence
    assert check(verdict, "load").verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("name", ["ended_once", "rpo_jobs"])
def test_a_job_whose_end_nobody_could_ask_for_is_not_called_lost(name: str) -> None:
    found = check(judged(JobStory(lost=frozenset({AT_FAULT}), seen_s=100.0)), name)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "the platform's record of ends could not be read any more when the drain was over" in found.sentence
