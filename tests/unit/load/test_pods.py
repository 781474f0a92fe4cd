"""A worker in a pod, seen from the suite: its record arrives whole, or that it did not is noticed."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from history.clock import offset_of
from history.plan import Plan, ResolvedTarget
from kube.permissions import Permission
from runner.commands import admission_policy, rbac
from runner.drivers.requests import load_pod, load_relay
from runner.drivers.requests.driver import RequestsDriver
from runner.drivers.requests.load_pod import Lost
from runner.drivers.requests.load_relay import Relay
from target.target import load_target
from testing.histories import training_stories
from testing.load.load_runs import write_load_plan
from testing.load.program import ROOT

REQUESTS = "requests.load-1.jsonl"
ROWS = b'{"request_id": 0}\n{"request_id": 2}\n'


class Pod:
    """A stream whose program says what the test scripts, one message a call."""

    def __init__(self, *replies: dict[str, Any]) -> None:
        self.replies = list(replies)

    def receive(self, _wait_s: float) -> list[dict[str, Any]]:
        if not self.replies:
            raise Lost("it ended without an end mark")
        return [self.replies.pop(0)]


def followed(folder: Path, *replies: dict[str, Any], worker: int = 1) -> int:
    relay = Relay(folder, worker, Pod(*replies))  # type: ignore[arg-type]  # a stream by the one method that is asked
    with Path("/dev/null").open("rb") as nobody:
        return relay.follow(os.getppid(), nobody.fileno())


def record(name: str, data: bytes) -> dict[str, Any]:
    return {"record": {name: b64encode(data).decode()}}


def end(code: int = 0, *, told: bool = True, **sent: int) -> dict[str, Any]:
    return {"end": code, "sent": {f"{table}.load-1.jsonl": size for table, size in sent.items()}, "told": told}


def test_a_worker_in_a_pod_finds_its_files_there_and_learns_of_its_requests_alone(tmp_path: Path) -> None:
    plan = write_load_plan(tmp_path, "https://nowhere", prompts=str(tmp_path / "asked.jsonl"), ca_file=str(tmp_path / "authority.pem"))
    training = training_stories.run_of(training_stories.Story()).plan.workloads
    plan = plan.model_copy(update={"workloads": (*training, *plan.workloads)})
    for name in ("schedule.parquet", "asked.jsonl", "authority.pem"):
        (tmp_path / name).write_text(name)
    files = dict(load_relay.files_of(tmp_path, plan))
    assert {name: text for name, text in files.items() if name != "plan.json"} == {
        "schedule.parquet": b"schedule.parquet", "prompts.jsonl": b"asked.jsonl", "ca.pem": b"authority.pem"
    }  # fmt: skip
    there = Plan.model_validate_json(files["plan.json"])
    assert (there.requests.load.prompts, there.requests.load.ca_file) == (f"{load_pod.FOLDER}/prompts.jsonl", f"{load_pod.FOLDER}/ca.pem")
    assert str(tmp_path).encode() not in files["plan.json"]
    assert [one.kind for one in there.workloads] == ["requests"]


def test_a_certificate_of_the_load_s_own_goes_to_its_pod_with_its_key(tmp_path: Path) -> None:
    shown = {"cert": str(tmp_path / "me.pem"), "key": str(tmp_path / "me.key")}
    plan = write_load_plan(tmp_path, "https://nowhere", client_cert=shown)
    for name in ("schedule.parquet", "me.pem", "me.key"):
        (tmp_path / name).write_text(name)
    files = dict(load_relay.files_of(tmp_path, plan))
    assert (files["client.pem"], files["client-key.pem"]) == (b"me.pem", b"me.key")
    cert = Plan.model_validate_json(files["plan.json"]).requests.load.client_cert
    assert cert is not None
    assert (cert.cert, cert.key) == (f"{load_pod.FOLDER}/client.pem", f"{load_pod.FOLDER}/client-key.pem")


def test_the_quickest_exchange_tells_the_offset() -> None:
    offset = offset_of([(0, 1_000_500, 2_000), (10_000, 1_010_100, 10_100), (20_000, 1_029_000, 24_000)])
    assert (offset.offset_ns, offset.error_ns) == (1_000_050, 50)


def test_a_record_that_ends_with_its_mark_is_kept(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = record("said.load-1.jsonl", b"READY\n")
    replies = record(REQUESTS, ROWS[:20]), {"record": {}}, said, record(REQUESTS, ROWS[20:]), end(requests=len(ROWS), said=6)
    assert followed(tmp_path, *replies) == 0
    assert (tmp_path / REQUESTS).read_bytes() == ROWS
    assert capfd.readouterr().out == "READY\n"


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        ((record(REQUESTS, ROWS),), "without an end mark"),
        ((record(REQUESTS, ROWS), end(requests=99)), r"it sent .*99.*, here"),
        ((end(events=5),), "it sent"),
        ((end(told=False),), "its node ended it"),
    ],
)
def test_a_record_without_its_end_is_lost(tmp_path: Path, replies: tuple[dict[str, Any], ...], words: str) -> None:
    with pytest.raises(Lost, match=words):
        followed(tmp_path, *replies)


@pytest.mark.parametrize("name", ["requests.load-0.jsonl", "plan.json", "../requests.load-1.jsonl", "requests.load-1.jsonl/../plan.json"])
def test_a_pod_writes_its_own_record_and_nothing_else(tmp_path: Path, name: str) -> None:
    assert followed(tmp_path, record(name, ROWS), end()) == 0
    assert not list(tmp_path.iterdir())


def test_a_failed_worker_fails_the_relay(tmp_path: Path) -> None:
    assert followed(tmp_path, end(1)) == 1


def test_the_pod_has_no_rights_ends_by_itself_and_stands_off_the_fault(tmp_path: Path) -> None:
    target = load_target(ROOT / "targets" / "local.yaml")
    plan = write_load_plan(tmp_path, "http://gateway.ml-serving.svc", workers=2, workers_as="pods", horizon_s=300.0)
    hit = ResolvedTarget(kind="Pod", name="inference-1", namespace="ml-serving", node="gpu-a")
    pod = load_pod.manifest(target, plan.model_copy(update={"targets": (hit,)}), 1)["spec"]
    container = pod["containers"][0]
    assert not pod["automountServiceAccountToken"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["stdinOnce"]
    assert 300 < pod["activeDeadlineSeconds"] < 600
    rule = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"][0]["matchExpressions"][0]
    assert (rule["operator"], rule["values"]) == ("NotIn", ["gpu-a"])


def test_rights_for_pods_are_asked_for_and_allowed_only_where_the_target_wants_pods() -> None:
    target = load_target(ROOT / "targets" / "local.yaml")
    workload = target.workloads["realtime-inference"]
    assert RequestsDriver.permissions(target, "realtime-inference") == ()
    assert "workloads.load.pod" not in rbac.text(admission_policy.manifests(target))
    pods = workload.model_copy(update={"load": workload.load.model_copy(update={"workers_as": "pods"})})
    wanting = target.model_copy(update={"workloads": target.workloads | {"realtime-inference": pods}})
    asked = RequestsDriver.permissions(wanting, "realtime-inference")
    assert Permission("create", "pods/attach", namespace="aftershock") in asked
    assert "workloads.load.pod" in rbac.text(admission_policy.manifests(wanting))
