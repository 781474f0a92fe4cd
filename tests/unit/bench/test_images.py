"""The page of built images is written from a cluster that runs these images and a session on it, and from nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import images
from bench.images import NothingToShow, page_of, seen_of, session_on
from cluster.images import oci
from cluster.images.builds import Built
from cluster.images.oci import Blob
from cluster.machines.image_files import FAULT

STARTED = "2026-11-30T11:30:00+00:00"
NODES: list[dict[str, Any]] = [
    {
        "metadata": {"creationTimestamp": "2026-11-30T11:00:00Z"},
        "status": {"images": [{"names": [f"docker.io/{FAULT.name}"], "sizeBytes": size}]},
    }
    for size in (31_000_000, 1_000_000)
]


@pytest.fixture
def made(tmp_path: Path) -> Built:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/file").write_text("x" * 1000)
    blob = oci.pack(tmp_path / "root", tmp_path / "layer")
    oci.lay_out(tmp_path / "layout", FAULT.name, "amd64", {}, [(blob, tmp_path / "layer")])
    return Built(FAULT, "amd64", tmp_path / "layout", {"system": Blob(blob.digest, blob.diff_id, 30_000_000, 75_000_000)})


def pod(image_id: str, image: str = "docker.io/aftershock/fault:dev") -> dict[str, Any]:
    return {"metadata": {"namespace": "ml", "name": "a"}, "status": {"containerStatuses": [{"image": image, "imageID": image_id}]}}


def report(tmp_path: Path, started: str | None = STARTED, verdict: str = "PASS") -> Path:
    experiment = {"id": "serving/replica-killed", "verdict": verdict, "counts_as": verdict, "expect": {"verdict": "PASS"}}
    experiment |= {"sentence": "users | noticed", "trials": [{"rto_s": 1.26}, {"rto_s": None}]}
    file = tmp_path / "report.json"
    file.write_text(json.dumps({"run": {"started": started}, "experiments": [experiment]}))
    return file


def test_nodes_hold_an_image_if_it_is_as_large_as_the_built_one(made: Built) -> None:
    seen = seen_of(made, NODES, [pod(made.config_digest), pod(f"docker.io/aftershock/fault@{made.digest}"), pod("sha256:0", "another:1")])
    assert (seen.nodes, seen.of_nodes, seen.pods) == (1, 2, ("ml/a",))


def test_another_image_under_the_same_name_is_no_evidence(made: Built) -> None:
    with pytest.raises(NothingToShow, match="pod ml/a runs sha256:0 as aftershock/fault:dev, not the built one"):
        seen_of(made, NODES, [pod("sha256:0")])


def test_a_session_before_the_cluster_says_nothing_about_it(tmp_path: Path) -> None:
    assert session_on(NODES, report(tmp_path))["run"]["started"] == STARTED
    for file in (report(tmp_path, "2026-11-30T10:59:59+00:00"), report(tmp_path, None), tmp_path / "none.json"):
        with pytest.raises(NothingToShow, match="run make chaos-images"):
            session_on(NODES, file)


@pytest.mark.parametrize(("verdict", "head"), [("PASS", "1 of 1"), ("FAIL", "0 of 1")])
def test_the_page_shows_sizes_beside_bounds_and_every_verdict(made: Built, tmp_path: Path, verdict: str, head: str) -> None:
    found = json.loads(report(tmp_path, verdict=verdict).read_text())
    text = page_of([made], {FAULT.name: seen_of(made, NODES, [pod(made.digest)])}, found, {"commit": "a1", "load_average": 1.0, "cores": 2})
    assert f"{head} experiments ended as expected" in text
    assert "| aftershock/fault:dev | 75 | 120 | 30 | 1 of 2 | 1 |" in text
    assert f"| serving/replica-killed | {verdict} | PASS | 1.3 | users / noticed |" in text


def test_without_a_cluster_there_is_no_page(made: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images.builds, "built", lambda *_: made)

    def silent(*_: object) -> list[dict[str, Any]]:
        raise NothingToShow("cluster local does not answer")

    monkeypatch.setattr(images, "_objects", silent)
    assert images.main(["--write", str(tmp_path / "page.md")]) == 2
    assert not (tmp_path / "page.md").exists()
