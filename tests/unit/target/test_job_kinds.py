"""Kinds of jobs as pure shapes: what is a template, and what is made of it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from target.job_kinds.kind import Ends, condition, failure, job_kind, known_kinds
from testing.training.job_set import job_set

ENDS = Ends(900, 60)
JOB_SET = job_kind("JobSet")


def test_the_kinds_that_target_files_may_name_are_found_by_themselves() -> None:
    assert list(known_kinds()) == ["CronJob", "JobSet"]
    assert {name: kind.made.kind for name, kind in known_kinds().items()} == {"CronJob": "Job", "JobSet": "JobSet"}


def without(path: str, written: dict[str, Any]) -> dict[str, Any]:
    *above, last = path.split(".")
    place = written
    for key in above:
        place = place[key]
    del place[last]
    return written


COMPLAINTS: dict[str, tuple[dict[str, Any], str]] = {
    "it trains by itself": (without("spec.suspend", job_set()), "not suspended, so it trains by itself; set its spec.suspend: true"),
    "no Jobs": (without("spec.replicatedJobs", job_set()), "no replicatedJobs, so there is nothing to run"),
    "another object": (without("spec", job_set()), "no replicatedJobs"),
    "a queue that would start it": (job_set(labels={"kueue.x-k8s.io/queue-name": "gpus"}), "move this label to job.labels"),
}


@pytest.mark.parametrize("case", COMPLAINTS)
def test_what_cannot_be_a_template_says_why(case: str) -> None:
    written, said = COMPLAINTS[case]
    assert said in JOB_SET.complaint(written)
    assert JOB_SET.complaint(job_set()) == ""


def test_a_cron_job_that_runs_by_itself_is_no_template() -> None:
    kind = job_kind("CronJob")
    assert "not suspended" in kind.complaint({"spec": {"schedule": "@daily"}})
    assert kind.complaint({"spec": {"suspend": True}}) == ""


def test_workers_are_replicas_times_parallelism_of_each_replicated_job() -> None:
    counts = [one.pods for one in JOB_SET.pod_templates(JOB_SET.job_of(job_set(replicas=2, parallelism=3, launcher=True)))]
    assert counts == [1, 6]


def test_what_is_made_starts_at_once_and_a_deadline_ends_it_for_good() -> None:
    written = job_set(failurePolicy={"maxRestarts": 5, "rules": [{"name": "other", "action": "RestartJobSet"}]})
    before = copy.deepcopy(written)
    spec = JOB_SET.spec_of(JOB_SET.job_of(written), lambda pod: {**pod, "changed": True}, ENDS)
    (ranks,) = spec["replicatedJobs"]
    assert spec["suspend"] is False
    assert spec["ttlSecondsAfterFinished"] == 60
    assert [one["name"] for one in spec["failurePolicy"]["rules"]] == ["aftershockDeadline", "other"]
    assert spec["failurePolicy"]["maxRestarts"] == 5
    assert spec["failurePolicy"]["rules"][0] == {
        "name": "aftershockDeadline", "action": "FailJobSet", "onJobFailureReasons": ["DeadlineExceeded"],
    }  # fmt: skip
    assert ranks["template"]["spec"]["activeDeadlineSeconds"] == 900
    assert ranks["template"]["spec"]["template"]["changed"]
    assert written == before  # the template itself is as it was


def test_alone_it_is_one_pod_and_names_no_other_job() -> None:
    rules = [
        {"name": "a", "action": "FailJobSet", "targetReplicatedJobs": ["launcher"]},
        {"name": "b", "action": "FailJobSet", "targetReplicatedJobs": ["ranks"]},
    ]
    written = job_set(
        replicas=2,
        parallelism=3,
        launcher=True,
        coordinator={"replicatedJob": "launcher"},
        successPolicy={"operator": "All", "targetReplicatedJobs": ["launcher"]},
        failurePolicy={"maxRestarts": 5, "rules": rules},
    )
    spec = JOB_SET.alone(JOB_SET.job_of(written), "trainer")["spec"]
    (kept,) = spec["replicatedJobs"]
    assert (kept["name"], kept["replicas"], "dependsOn" in kept) == ("ranks", 1, False)
    assert (kept["template"]["spec"]["completions"], kept["template"]["spec"]["parallelism"]) == (1, 1)
    assert spec.keys() & {"coordinator", "successPolicy"} == set()
    assert [one["name"] for one in spec["failurePolicy"]["rules"]] == ["b"]


def test_how_often_it_starts_again_is_said_where_a_failed_pod_ends_its_job() -> None:
    (said,) = JOB_SET.remarks(JOB_SET.job_of(job_set(backoffLimit=0, failurePolicy={"maxRestarts": 5})))
    assert said.startswith("a pod of ranks that fails ends its Job (backoffLimit: 0), and all of it is started again, 5 times at most")
    (said,) = JOB_SET.remarks(JOB_SET.job_of(job_set(backoffLimit=0)))
    assert said.endswith("that is its end: maxRestarts is 0")
    assert JOB_SET.remarks(JOB_SET.job_of(job_set(backoffLimit=6))) == []


def test_how_it_ended_is_read_from_its_conditions() -> None:
    gone = {
        "type": "Failed",
        "status": "True",
        "reason": "ReachedMaxRestarts",
        "message": "jobset failed due to reaching max number of restarts",
    }
    assert failure({"status": {"conditions": [gone]}}) == "ReachedMaxRestarts: jobset failed due to reaching max number of restarts"
    assert failure({"status": {"conditions": [gone | {"status": "False"}]}}) == failure({}) == ""
    assert condition({"status": {"conditions": [{"type": "Completed", "status": "True"}]}}, JOB_SET.done)
