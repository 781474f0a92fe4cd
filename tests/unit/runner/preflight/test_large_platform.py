"""Preflight of a platform of 1,000 nodes and 10,000 pods asks for little: lists in pages, no answer above 2 MB, never for all pods."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from runner.drivers.requests.driver import RequestsDriver
from runner.request import Request
from runner.run.child import run_request
from runner.stop import Stop
from testing.platform.fake_cluster import ROOT
from testing.platform.kube_api import kube_api, write_target
from testing.platform.large.manifests import SUITE, Large
from testing.platform.large.served import Seen, Served
from testing.platform.large.target_file import target_file
from testing.runs.runner_parts import Sent

LARGE = Large(1000)
MOST_BYTES = 2_000_000


@pytest.fixture(scope="module")
def served() -> Served:
    return Served(LARGE)


@pytest.fixture
def target(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    served.seen.clear()
    monkeypatch.setattr(RequestsDriver, "check", lambda _: [])  # what users are answered is for others to test
    with kube_api() as api:
        api.answer = served.answer
        write_target(tmp_path, api.url)
        file = tmp_path / "target.yaml"
        file.write_text(yaml.safe_dump(target_file(LARGE, tmp_path, api.url, tmp_path / "kubeconfig")))
        yield file


def dry_run(experiment: str, target: Path, sent: Sent) -> int:
    file = ROOT / "experiments" / f"{experiment}.yaml"
    run_dir = target.parent / "run"
    run_dir.mkdir()
    request = Request(
        run_id="20261121-120000-large-1-ab12", run_dir=run_dir, experiment=file, experiments_root=ROOT / "experiments", target=target,
        seed=7, profile="smoke", dry_run=True,
    )  # fmt: skip
    return run_request(request, sent, Stop())


def asked_for_all(seen: Seen) -> bool:
    """Tell whether a request was for all pods of the cluster or of a namespace of the platform's."""
    chosen = seen.query.get("labelSelector") or seen.query.get("fieldSelector")
    return seen.path.endswith("/pods") and seen.is_list and not chosen and f"/{SUITE}/" not in seen.path


@pytest.mark.parametrize(
    ("experiment", "most"),  # requests: permissions are about 40 of them; a zone has 333 nodes, each asked for its pods
    [("control/null-control", 110), ("serving/replica-killed", 120), ("serving/node-drained", 190), ("serving/zone-lost", 580)],
)
def test_preflight_asks_for_little_of_a_large_platform(experiment: str, most: int, target: Path, served: Served, sent: Sent) -> None:
    assert dry_run(experiment, target, sent) == 0, sent.messages
    lists = [one for one in served.seen if one.is_list]
    assert [one for one in lists if "limit" not in one.query] == []
    assert max(one.size for one in served.seen) <= MOST_BYTES
    assert [one for one in lists if asked_for_all(one)] == []
    whole = [
        one for one in lists if one.path == "/api/v1/nodes" and not one.query.get("labelSelector") and not one.query.get("fieldSelector")
    ]
    assert len(whole) <= 1  # where displaced pods find room: the first page is enough
    assert len(served.seen) <= most
