"""A worker in a pod, seen from the suite: its record arrives whole, or that it did not is noticed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from history.clock import offset_of
from history.plan import ResolvedTarget
from history.wire import Messages, line, pieces
from kube.permissions import Permission
from runner.commands import admission_policy, rbac
from runner.drivers.requests import driver, load_pod
from runner.drivers.requests.load_relay import Relay
from runner.drivers.requests.load_stream import Lost
from target.target import load_target
from testing.load.load_runs import ROOT, write_load_plan

ROWS = b'{"request_id": 0}\n{"request_id": 2}\n'


class Pod:
    """A stream whose program says what the test scripts, one reply a call."""

    def __init__(self, *replies: bytes) -> None:
        self.replies, self.messages, self.heard = list(replies), Messages(), bytearray()

    def send(self, data: bytes) -> None:
        self.heard += data

    def receive(self, _wait_s: float, _beside: object = None) -> Iterator[tuple[dict[str, Any], bytes]]:
        if not self.replies:
            raise Lost("it ended without an end mark")
        yield from self.messages.feed(self.replies.pop(0))


def carried(folder: Path, *replies: bytes, worker: int = 1) -> int:
    return Relay(folder, worker, Pod(*replies)).carry(os.getppid())  # type: ignore[arg-type]  # a stream by its two methods


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.binary(max_size=200))), st.integers(1, 50))
def test_what_arrives_in_bits_is_put_together_again(files: list[tuple[str, bytes]], size: int) -> None:
    sent = b"".join([*(part for name, data in files for part in pieces(name, data)), line(end=0)])
    messages, seen, written = Messages(), [], {"a": b"", "b": b""}
    for start in range(0, len(sent), size):
        for message, data in messages.feed(sent[start : start + size]):
            seen.append(message)
            if "file" in message:
                written[message["file"]] += data
    assert seen[-1] == {"end": 0}
    assert written == {name: b"".join(data for file, data in files if file == name) for name in written}


def test_the_quickest_exchange_tells_the_offset() -> None:
    offset = offset_of([(0, 1_000_500, 2_000), (10_000, 1_010_100, 10_100), (20_000, 1_029_000, 24_000)])
    assert (offset.offset_ns, offset.error_ns) == (1_000_050, 50)


def test_a_record_that_ends_with_its_mark_is_kept(tmp_path: Path) -> None:
    name = "requests.load-1.jsonl"
    mark = line(end=0, sent={name: len(ROWS)}, told=True)
    assert carried(tmp_path, *pieces(name, ROWS[:20]), line(alive=True) + b"".join(pieces(name, ROWS[20:])), mark) == 0
    assert (tmp_path / name).read_bytes() == ROWS


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        ((b"".join(pieces("requests.load-1.jsonl", ROWS)),), "without an end mark"),
        (
            (b"".join(pieces("requests.load-1.jsonl", ROWS)), line(end=0, sent={"requests.load-1.jsonl": 99}, told=True)),
            r"it sent .*99.*, here",
        ),
        ((line(end=0, sent={"events.load-1.jsonl": 5}, told=True),), "it sent"),
        ((line(end=0, sent={}, told=False),), "its node ended it"),
    ],
)
def test_a_record_without_its_end_is_lost(tmp_path: Path, replies: tuple[bytes, ...], words: str) -> None:
    with pytest.raises(Lost, match=words):
        carried(tmp_path, *replies)


@pytest.mark.parametrize("name", ["requests.load-0.jsonl", "plan.json", "../requests.load-1.jsonl", "requests.load-1.jsonl/../plan.json"])
def test_a_pod_writes_its_own_record_and_nothing_else(tmp_path: Path, name: str) -> None:
    assert carried(tmp_path, *pieces(name, ROWS), line(end=0, sent={}, told=True)) == 0
    assert not list(tmp_path.iterdir())


def test_a_failed_worker_fails_the_relay(tmp_path: Path) -> None:
    assert carried(tmp_path, line(end=1, sent={}, told=True)) == 1


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
    assert driver.request_permissions(target, workload) == []
    assert "workloads.load.pod" not in rbac.text(admission_policy.manifests(target))
    pods = workload.model_copy(update={"written_load": workload.load.model_copy(update={"workers_as": "pods"})})
    assert Permission("create", "pods/attach", namespace="aftershock") in driver.request_permissions(target, pods)
    wanting = target.model_copy(update={"workloads": target.workloads | {"realtime-inference": pods}})
    assert "workloads.load.pod" in rbac.text(admission_policy.manifests(wanting))
