"""A training job of a JobSet: read from its template, made, followed to its end by the platform's conditions, and cleaned up."""

from __future__ import annotations

from typing import Any

import pytest

from history.errors import TargetRefused
from history.workloads import TrainingJob
from kube.client import Platform
from kube.permissions import Permission
from runner.commands.admission_policy import manifests
from runner.drivers.training import job as jobs
from runner.drivers.training.job import Awaited, manifest
from runner.drivers.training.left_behind import left_behind
from runner.drivers.training.reference import reference_name
from runner.drivers.training.template import Template, job_permissions, read_template
from runner.stop import Stop
from target.job_kinds.kind import Plain, job_kind
from target.target import Target
from testing.platform.fake_cluster import FakeCluster, local_target, pod
from testing.training.job_set import SERVED, job_set, job_set_target

WRITTEN = TrainingJob(kind="JobSet", template="trainer", ledger="ledger:8100", storage="storage")
CONTAINER: Plain = {
    "env": [{"name": "TRAIN_STEPS", "value": "9"}],
    "resources": {"requests": {"cpu": "1", "nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": "1"}},
}
RUN = "20261130-120000-rank-killed-1-ab12"


@pytest.fixture
def target() -> Target:
    return job_set_target()


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.resources.add(SERVED)
    made.plain["jobsets", "ml-training", "trainer"] = job_set(container=CONTAINER)
    return made


@pytest.fixture
def platform(cluster: FakeCluster, target: Target) -> Platform:
    return cluster.platform(target)


def template(platform: Platform, container: str | None = "trainer", **settings: str) -> Template:
    return read_template(platform, "ml-training", WRITTEN, container, settings)


def test_a_suspended_job_set_is_a_template(platform: Platform) -> None:
    found = template(platform, TRAIN_SEED="7")
    assert (found.pods, found.number("TRAIN_STEPS"), found.image) == (3, 9, "r/train:1")
    assert dict(found.own or {}) == {"TRAIN_STEPS": "9"}
    assert found.environment["TRAIN_SEED"] == "7"


def test_ranks_are_the_pods_with_the_roles_container(cluster: FakeCluster, platform: Platform) -> None:
    cluster.plain["jobsets", "ml-training", "trainer"] = job_set(container=CONTAINER, launcher=True, replicas=2)
    assert template(platform).pods == 6
    assert template(platform).pod["containers"][0]["name"] == "trainer"


REFUSED: dict[str, tuple[Plain | None, str | None, str]] = {
    "not there": (None, "trainer", "read jobset ml-training/trainer, of which training jobs are made: the API server answered 404"),
    "not suspended": (job_set(suspend=False), "trainer", "jobset ml-training/trainer: it is not suspended, so it trains by itself"),
    "no Jobs": (job_set(replicatedJobs=[]), "trainer", "jobset ml-training/trainer: it has no replicatedJobs"),
    "another container": (job_set(), "other", "jobset ml-training/trainer: it has no container 'other'; correct the role's container"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_in_one_sentence(cluster: FakeCluster, platform: Platform, case: str) -> None:
    written, container, said = REFUSED[case]
    cluster.plain = {("jobsets", "ml-training", "trainer"): written} if written else {}
    with pytest.raises(TargetRefused) as refused:
        template(platform, container)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("served", [set[tuple[str, str]](), {("jobset.x-k8s.io/v1alpha2", "others")}])
def test_a_cluster_without_job_sets_is_said(cluster: FakeCluster, platform: Platform, served: set[tuple[str, str]]) -> None:
    cluster.resources = served
    with pytest.raises(TargetRefused, match=r"serves no jobsets of jobset\.x-k8s\.io/v1alpha2; install JobSet in this cluster, or name"):
        template(platform)


def test_it_is_made_with_the_runs_labels_and_settings(cluster: FakeCluster, platform: Platform) -> None:
    found = template(platform)
    made = manifest(found, "train-1", RUN, {"TRAIN_STEPS": "20"}, limit_s=60.5, labels={"kueue.x-k8s.io/queue-name": "gpus"})
    jobs.create(platform, found, made)
    there = cluster.plain["jobsets", "ml-training", "train-1"]
    assert (there["apiVersion"], there["kind"], there["spec"]["suspend"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet", False)
    assert there["metadata"]["labels"] == {
        "app": "trainer", "kueue.x-k8s.io/queue-name": "gpus",
        "app.kubernetes.io/managed-by": "aftershock", "aftershock.dev/kind": "training", "aftershock.dev/run": RUN,
    }  # fmt: skip
    of_job = there["spec"]["replicatedJobs"][0]["template"]["spec"]
    assert of_job["activeDeadlineSeconds"] == 61
    assert of_job["template"]["spec"]["containers"][0]["env"] == [{"name": "TRAIN_STEPS", "value": "20"}]
    assert "uid" not in there["metadata"]


def test_its_reference_is_one_pod_with_the_devices_of_all_that_no_role_selects(platform: Platform) -> None:
    made = manifest(template(platform), "reference-1", RUN, {}, one_pod=True)
    (kept,) = made["spec"]["replicatedJobs"]
    alone = kept["template"]["spec"]["template"]
    assert alone["spec"]["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": "3"}
    assert "app" not in alone["metadata"]["labels"]
    assert reference_name(template(platform), 3, "sha256:1") != reference_name(template(platform), 3, "sha256:2")


def test_its_pods_are_found_by_its_name(cluster: FakeCluster, platform: Platform) -> None:
    for name, job_set_name in (("train-1-ranks-0-0-x", "train-1"), ("other", "train-2")):
        made = pod(name, namespace="ml-training", owner="Job")
        made.metadata.labels = {"jobset.sigs.k8s.io/jobset-name": job_set_name}
        cluster.pods["ml-training", name] = made
    assert [one.metadata.name for one in jobs.pods_of(platform, template(platform), "train-1")] == ["train-1-ranks-0-0-x"]


def test_one_that_the_platform_gave_up_is_not_waited_for(cluster: FakeCluster, platform: Platform) -> None:
    found = template(platform)
    made = manifest(found, "train-1", RUN, {})
    failed = {"type": "Failed", "status": "True", "reason": "FailedJobs", "message": "jobset failed due to one or more job failures"}
    cluster.plain["jobsets", "ml-training", "train-1"] = made | {"status": {"conditions": [failed]}}
    with pytest.raises(TargetRefused) as refused:
        jobs.wait(platform, found, "train-1", Awaited(lambda: False, 3600, "job train-1: not all of its 3 pods run"), Stop())
    said = "job train-1: not all of its 3 pods run, and the jobset has failed (FailedJobs: jobset failed due to one or more job failures)"
    assert str(refused.value).startswith(said)


def test_what_admission_says_to_it_is_the_refusal(cluster: FakeCluster, platform: Platform) -> None:
    cluster.refusal = 'admission webhook "vjobset.kb.io" denied the request: invalid subdomain'
    with pytest.raises(TargetRefused, match=r"create jobset ml-training/train-1 \(asked by a server-side dry run\): .*vjobset"):
        jobs.create(platform, template(platform), manifest(template(platform), "train-1", RUN, {}), dry_run=True)


def test_rights_are_those_of_its_resource() -> None:
    needed = job_permissions(job_kind("JobSet"), "ml")
    of_sets = {one.verb for one in needed if (one.resource, one.group) == ("jobsets", "jobset.x-k8s.io")}
    assert of_sets == {"create", "list", "delete", "get"}
    assert Permission("get", "cronjobs", "batch", "ml") not in needed


def test_what_a_dead_run_left_is_found_and_shown(cluster: FakeCluster, platform: Platform) -> None:
    cluster.plain["jobsets", "ml-training", "train-1"] = manifest(template(platform), "train-1", RUN, {})
    done = {"status": {"conditions": [{"type": "Completed", "status": "True"}]}}
    cluster.plain["jobsets", "ml-training", "reference-1"] = manifest(template(platform), "reference-1", RUN, {}) | done
    (left,) = left_behind(platform, frozenset())
    assert (left.name, left.where) == ("train-1", "training jobset ml-training/train-1")
    assert left_behind(platform, frozenset({RUN})) == []
    jobs.delete(platform, left.kind, left.namespace, left.name)
    assert left_behind(platform, frozenset()) == []


def test_a_cluster_without_job_sets_has_nothing_left(cluster: FakeCluster, platform: Platform) -> None:
    cluster.resources.discard(SERVED)
    assert left_behind(platform, frozenset()) == []


def rules_of(target: Target, what: str) -> dict[str, Any]:
    found = (one for one in manifests(target) if one["metadata"]["name"] == f"aftershock-{what}.aftershock")
    spec: dict[str, Any] = next(found)["spec"]
    return spec


def test_a_policy_admits_it_where_a_class_makes_it(target: Target) -> None:
    spec = rules_of(target, "jobsets")
    assert spec["matchConstraints"]["resourceRules"][0]["apiGroups"] == ["jobset.x-k8s.io"]
    assert 'request.namespace in ["ml-training"]' in spec["validations"][0]["expression"]
    where_trained = '["ml-training"]'  # and nowhere else: timers of faults may be in every namespace
    assert where_trained not in rules_of(target, "jobs")["validations"][0]["expression"]
    assert where_trained not in rules_of(local_target(), "jobsets")["validations"][0]["expression"]
    assert where_trained in rules_of(local_target(), "jobs")["validations"][0]["expression"]
