"""The undisturbed run to compare with: one for each image, environment and template, and made of the image that the job runs."""

from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from history.errors import TargetRefused
from history.workloads import TrainingJob
from runner.drivers.training import job as jobs
from runner.drivers.training.driver import TrainingDriver
from runner.drivers.training.image import image_of, known_image
from runner.drivers.training.reference import reference_name, reference_settings
from runner.drivers.training.remote_ledger import RemoteLedger
from runner.drivers.training.template import Template
from runner.stop import Stop

IMAGE = "r/train:1"
CONTAINER: dict[str, Any] = {"name": "trainer", "image": IMAGE, "command": ["python", "train.py"]}
POD: dict[str, Any] = {"containers": [CONTAINER], "tolerations": []}
ENVIRONMENT = {"TRAIN_STEPS": "100", "TRAIN_BATCH": "8", "TRAIN_MAX_RESTARTS": "3", "TRAIN_INTERVAL": "10", "NCCL_ALGO": "tree"}


def template(pod: dict[str, Any] | None = None, own: dict[str, str] | None = None, **settings: str) -> Template:
    own = ENVIRONMENT | (own or {})
    job = {"spec": {"completions": 2, "template": {"spec": POD | (pod or {})}}}
    return Template("ml", "trainer", "trainer", job, own | settings, own)


def pod(image_id: str | None, at: str = "2026-11-29 12:00", image: str = IMAGE) -> Any:
    status = [SimpleNamespace(name="trainer", image_id=image_id, ready=True)] if image_id is not None else None
    spec = SimpleNamespace(containers=[SimpleNamespace(name="trainer", image=image)])
    return SimpleNamespace(
        metadata=SimpleNamespace(creation_timestamp=at, name="p"), spec=spec, status=SimpleNamespace(container_statuses=status)
    )


DIFFERENT: dict[str, tuple[Template, int, str]] = {
    "as it is": (template(), 2, "sha256:1"),
    "another image": (template(), 2, "sha256:2"),
    "another environment": (template(own={"NCCL_ALGO": "ring"}), 2, "sha256:1"),
    "another command": (template(pod={"containers": [CONTAINER | {"args": ["--bf16"]}]}), 2, "sha256:1"),
    "other hardware": (template(pod={"nodeSelector": {"gpu": "h200"}}), 2, "sha256:1"),
    "more ranks": (template(), 4, "sha256:1"),
    "a seed that the run sets": (template(TRAIN_SEED="7"), 2, "sha256:1"),
}


def test_each_image_environment_and_template_has_a_reference_of_its_own() -> None:
    assert len({reference_name(*of) for of in DIFFERENT.values()}) == len(DIFFERENT)


def test_what_changes_no_result_asks_for_no_other_reference() -> None:
    name = reference_name(*DIFFERENT["as it is"])
    assert reference_name(template(pod={"tolerations": [{"key": "x"}]}), 2, "sha256:1") == name
    assert reference_name(template(TRAIN_FAILPOINTS="nan"), 2, "sha256:1") == name  # what goes wrong in a run does not in its reference


def test_the_reference_of_one_pod_has_all_ranks_and_one_of_the_jobs_shape_has_its_own() -> None:
    one, same = (reference_settings(template(TRAIN_FAILPOINTS="nan"), 4, one_pod=one_pod) for one_pod in (True, False))
    assert (one["TRAIN_NODES"], one["TRAIN_RANKS_PER_POD"], one["TRAIN_STEP_PAUSE_S"]) == ("1", "4", "0")
    assert same.keys() & {"TRAIN_NODES", "TRAIN_RANKS_PER_POD", "TRAIN_FAILPOINTS"} == set()
    assert same["TRAIN_STEP_PAUSE_S"] == "0"


def test_an_image_is_known_by_its_digest_or_by_the_newest_pod_that_ran_it() -> None:
    by_digest = template(pod={"containers": [CONTAINER | {"image": "r/train@sha256:abc"}]})
    assert known_image(None, by_digest) == "sha256:abc"  # type: ignore[arg-type]  # nobody is asked
    pods = [pod("r/train@sha256:old"), pod("r/train@sha256:new", "2026-11-29 13:00"), pod("x@sha256:z", "2026-11-29 14:00", "r/other:1")]
    assert image_of(template(), pods) == "sha256:new"
    assert image_of(template(), [pod(None), pod("")]) == ""


class Cluster:
    """Jobs as the driver makes and ends them, and what the ledger's server keeps; pods run what ``runs`` says for each start."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *runs: str) -> None:
        self.runs, self.told, self.references = list(runs), [], set[str]()  # type: ignore[var-annotated]
        monkeypatch.setattr(jobs, "create", self._create)
        monkeypatch.setattr(jobs, "pods_of", lambda _p, _t, _name: self.pods)
        monkeypatch.setattr(jobs, "given_up", lambda _p, _t, _name: "")
        monkeypatch.setattr(RemoteLedger, "ended", lambda _ledger, run: run in self.references)
        monkeypatch.setattr("runner.drivers.training.job.ready", lambda _: True)
        self.pods: list[Any] = []

    def _create(self, _platform: Any, _template: Template, job: dict[str, Any]) -> None:
        name = job["metadata"]["name"]
        self.told.append(f"make {name[:9]}")
        if name.startswith("reference"):
            self.references.add(name)
        else:
            self.pods = [pod(self.runs.pop(0))] * 2

    def driver(self, image: str) -> TrainingDriver:
        written = TrainingJob(template="trainer", ledger="ledger:1")
        platform: Any = SimpleNamespace(pods_in=lambda _namespace: [])
        return TrainingDriver(platform, "t", "trainer", written, template(), {}, "20261121-145600-x-2eb7", Stop(), image=image)


def provide(driver: TrainingDriver, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrainingDriver, "_end", lambda _driver, name: cluster.told.append(f"end {name[:9]}"))
    stack = ExitStack()
    driver.provide(stack)
    stack.pop_all()


def test_a_known_image_has_its_reference_before_the_job_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, "r@sha256:1")
    provide(cluster.driver("sha256:1"), cluster, monkeypatch)
    assert cluster.told == ["make reference", "make train-112"]


def test_of_a_tag_that_nobody_knows_the_jobs_own_pods_say_which_image_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, "r@sha256:1", "r@sha256:1")
    driver = cluster.driver("")
    provide(driver, cluster, monkeypatch)
    assert cluster.told == ["make train-112", "end train-112", "make reference", "make train-112"]
    assert driver.reference in cluster.references
    assert driver.job_name.endswith("-2")  # a ledger of its own
    again = Cluster(monkeypatch, "r@sha256:1")
    again.references = cluster.references
    provide(again.driver(""), again, monkeypatch)
    assert again.told == ["make train-112"]


def test_a_tag_that_moves_has_the_reference_of_what_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, "r@sha256:2", "r@sha256:2")
    driver = cluster.driver("sha256:1")
    provide(driver, cluster, monkeypatch)
    assert driver.image == "sha256:2"
    assert driver.reference in cluster.references
    moving = Cluster(monkeypatch, "r@sha256:2", "r@sha256:3", "r@sha256:4")
    with pytest.raises(TargetRefused, match="name it by its digest"):
        provide(moving.driver("sha256:1"), moving, monkeypatch)
