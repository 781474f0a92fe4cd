"""The shortest selector that means one workload, by labels that last."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.discovery.selectors import selector_of
from testing.platform.strangers.discovered import surveyed
from testing.platform.strangers.manifests import Manifests, container, namespace, workload


def selectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *labels: dict[str, str]) -> list[tuple[str, int]]:
    objects = [one for i, found in enumerate(labels) for one in workload(f"w{i}", "llm", found, container())]
    every = surveyed(Manifests([namespace("llm"), *objects]), tmp_path, monkeypatch).workloads
    found = [selector_of(one, every) for one in every]
    return [(one.selector, len(one.others)) for one in found]


def test_one_usual_label_is_enough_where_it_is_nobody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert selectors(tmp_path, monkeypatch, {"zz": "1", "app": "a"}, {"zz": "1", "app": "b"}) == [("app=a", 0), ("app=b", 0)]


def test_two_labels_where_one_is_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, c = ({"app": x, "tier": y} for x, y in (("m", "gpu"), ("m", "cpu"), ("n", "gpu")))
    assert selectors(tmp_path, monkeypatch, a, b, c)[0] == ("app=m,tier=gpu", 0)


def test_labels_of_a_rollout_are_not_selected_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changing = {"role": "master", "helm.sh/chart": "vllm-0.1", "app.kubernetes.io/version": "1", "app.kubernetes.io/managed-by": "Helm"}
    assert selectors(tmp_path, monkeypatch, changing | {"part": "x"}) == [("part=x", 0)]


def test_workloads_with_the_same_labels_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert selectors(tmp_path, monkeypatch, {"app": "m"}, {"app": "m"}) == [("app=m", 1), ("app=m", 1)]


def test_a_subset_of_anothers_labels_cannot_be_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert selectors(tmp_path, monkeypatch, {"app": "m"}, {"app": "m", "track": "canary"}) == [("app=m", 1), ("track=canary", 0)]
