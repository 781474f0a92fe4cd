"""Training jobs of a JobSet: templates as users have them, through the code that reads them and makes what is applied."""

from __future__ import annotations

from bench.field.cases import Seen, case
from history.errors import TargetRefused
from history.workloads import TrainingJob
from runner.drivers.training.job import manifest
from runner.drivers.training.template import Template, read_template
from target.job_kinds.kind import Plain
from testing.platform.fake_cluster import FakeCluster
from testing.training.job_set import SERVED, job_set, job_set_target

PART = "training"
WRITTEN = TrainingJob(kind="JobSet", template="trainer", ledger="ledger:8100", storage="storage")
GPU = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}


def _read(written: Plain, *, served: bool = True) -> Template:
    cluster = FakeCluster()
    cluster.resources |= {SERVED} if served else set()
    cluster.plain["jobsets", "ml-training", "trainer"] = written
    return read_template(cluster.platform(job_set_target()), "ml-training", WRITTEN, "trainer", {})


def _refused(given: str, right: str, said: str, written: Plain, *, served: bool = True) -> None:
    @case(PART, given, right)
    def run() -> Seen:
        try:
            return Seen(f"{_read(written, served=served).pods} pods", right=False)
        except TargetRefused as refused:
            return Seen(str(refused), said in str(refused) and "\n" not in str(refused))


_refused("JobSet template, the cluster has no such resource", "one sentence: install it", "install JobSet", job_set(), served=False)
_refused("JobSet template that is not suspended", "one sentence: it trains by itself", "not suspended", job_set(suspend=False))
_refused("JobSet template without replicatedJobs", "one sentence", "no replicatedJobs", job_set(replicatedJobs=[]))
_refused(
    "JobSet template with Kueue's queue label",
    "one sentence: Kueue would start it",
    "job.labels",
    job_set(labels={"kueue.x-k8s.io/queue-name": "q"}),
)


@case(PART, "JobSet of a launcher, and ranks: 2 replicas × parallelism 3", "6 pods with ranks")
def _workers() -> Seen:
    pods = _read(job_set(launcher=True, replicas=2)).pods
    return Seen(f"{pods} pods", pods == 6)


@case(
    PART,
    "the same with a GPU a pod and `labels: {kueue.x-k8s.io/queue-name: q}`",
    "reference: one pod, six GPUs, the queue, the class's deadline",
)
def _reference() -> Seen:
    template = _read(job_set(launcher=True, replicas=2, container=GPU))
    queue = {"kueue.x-k8s.io/queue-name": "q"}
    made = manifest(template, "reference-1", "run-1", {}, one_pod=True, limit_s=7200, labels=queue)
    jobs = made["spec"]["replicatedJobs"]
    pod, of_job = jobs[0]["template"]["spec"]["template"], jobs[0]["template"]["spec"]
    limits, deadline_s = pod["spec"]["containers"][0]["resources"]["limits"], of_job["activeDeadlineSeconds"]
    kept = made["metadata"]["labels"].items() >= queue.items()
    right = (len(jobs), jobs[0]["replicas"], of_job["parallelism"], limits, deadline_s, kept) == (
        1,
        1,
        1,
        {"nvidia.com/gpu": "6"},
        7200,
        True,
    )
    return Seen(f"{len(jobs)} job of {of_job['parallelism']} pod, limits {limits}, deadline {deadline_s} s, queue kept: {kept}", right)
