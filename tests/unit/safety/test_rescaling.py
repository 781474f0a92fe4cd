"""A number of replicas that is set again by healing: as it was, unless somebody else has set another, and only of what is scaled."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from history.errors import UndoFailed
from kube.controllers.scaling import TRIES
from safety.rescaling import Rescaled
from safety.undo import undo_entry
from safety.undo_journal import Undo, UndoKind
from testing.platform.fake_cluster import FakeCluster
from testing.platform.in_memory.asked_by_path import APPS

SCALE = f"{APPS}/deployments/inference/scale"
DETAIL = Rescaled(kind="Deployment", was=3, lowered=2).model_dump_json()


def of(replicas: int) -> FakeCluster:
    made = FakeCluster()
    made.served[SCALE] = {"metadata": {"name": "inference", "resourceVersion": "7"}, "spec": {"replicas": replicas}}
    return made


def undone(cluster: FakeCluster, detail: str = DETAIL) -> str:
    entry = Undo(kind=UndoKind.RESCALE, activity="act", object="inference", namespace="ml-serving", detail=detail, ends_by_ns=1)
    return undo_entry(cluster.platform(), entry)


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what is written through the scale subresource, in order."""
    written: list[Any] = []
    monkeypatch.setattr(client.CustomObjectsApi, "replace_namespaced_custom_object_scale", lambda _api, *said: written.append(said))
    return written


def test_the_former_number_is_set_on_the_version_that_was_read(replaced: list[Any]) -> None:
    assert undone(of(2)) == "Deployment inference in namespace ml-serving: 3 replicas again"
    [(*at, body)] = replaced
    assert at == ["apps", "v1", "ml-serving", "deployments", "inference"]
    assert body == {"metadata": {"name": "inference", "resourceVersion": "7"}, "spec": {"replicas": 3}}


@pytest.mark.parametrize("now", [3, 5, 0])
def test_another_number_is_somebody_elses_and_is_left(replaced: list[Any], now: int) -> None:
    assert f"it is to have {now} replicas, not the 2 of this run any more; left as it is" in undone(of(now))
    assert not replaced


def test_one_that_is_gone_has_nothing_to_undo(replaced: list[Any]) -> None:
    assert undone(FakeCluster()).endswith("it was removed; nothing to scale")
    assert not replaced


@pytest.mark.parametrize("detail", ["", "{}", Rescaled(kind="DaemonSet", was=3, lowered=2).model_dump_json()])
def test_an_entry_that_no_fault_writes_changes_nothing(replaced: list[Any], detail: str) -> None:
    with pytest.raises(UndoFailed, match="ml-serving/inference: "):
        undone(of(2), detail)
    assert not replaced


@pytest.mark.parametrize(("conflicts", "ends_well"), [(TRIES - 1, True), (TRIES, False)])
def test_a_change_of_its_status_meanwhile_is_no_reason_to_give_up(monkeypatch: pytest.MonkeyPatch, conflicts: int, ends_well: bool) -> None:
    left = iter(range(conflicts))

    def replace(*_: Any) -> None:
        if next(left, None) is not None:
            raise ApiException(status=409, reason="Conflict")

    monkeypatch.setattr(client.CustomObjectsApi, "replace_namespaced_custom_object_scale", replace)
    if ends_well:
        assert undone(of(2)).endswith("3 replicas again")
    else:
        with pytest.raises(UndoFailed, match="Conflict"):
            undone(of(2))
