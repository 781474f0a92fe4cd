"""The page of Chaos Mesh is made of run folders; the set is that of the Makefile; the second pass is without it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.common.tables import ROOT, Row
from bench.comparison.chaos_mesh.page import page
from bench.comparison.chaos_mesh.passes import MESH, OWN, SET, without_chaos_mesh
from history.result import Check, RunVerdict, Verdict, write_verdict
from history.schema import EventKind
from history.writer import EventLog
from target.target import load_target
from testing.histories.sample_plan import plan_of
from testing.histories.sample_scenarios import ENGINE_FROZEN

TARGET = ROOT / "targets" / "chaos-mesh.yaml"
HUNG: Row = {
    "said": "NetworkChaos aftershock/x: it is being deleted and is still there",
    "said_after_s": 20.1,
    "finalizers": ["chaos-mesh/records"],
    "then": "NetworkChaos aftershock/x: gone",
    "then_after_s": 1.5,
}


def judged(folder: Path, injector: list[dict[str, object]]) -> None:
    """Write a run folder as a session leaves one, as far as the page reads it."""
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text(plan_of(ENGINE_FROZEN).model_dump_json(by_alias=True))
    rto = Check(name="rto", verdict=Verdict.PASS, sentence="s", measured=4.2, budget=20, low=4.0, high=4.4)
    verdict = RunVerdict(run_id=folder.name, verdict=Verdict.PASS, sentence="what it says", complete=True, checks=(rto,), measurements=())
    write_verdict(verdict, folder)
    (folder / "journal.json").write_text(json.dumps({"run": [{"output": {"targets": ["a"], "injector": injector}}]}))
    log = EventLog(folder, "test")
    log.event(EventKind.FAULT_START, "cut", t_ns=10**9, targets=["a"])
    log.event(EventKind.FAULT_CONFIRMED, "out-of-reach", t_ns=4 * 10**9)
    log.event(EventKind.FAULT_END, "cut", t_ns=31 * 10**9, how="NetworkChaos gone")


def test_each_run_stands_with_who_made_its_fault_and_how_long_that_took(tmp_path: Path) -> None:
    judged(tmp_path / "1/runs/a", [{"chaos": "x", "controller_said_so_after_s": 2.25}])
    judged(tmp_path / "2/runs/a", [{"did": "isolate"}])
    text = page([{"mechanism": MESH, "out": str(tmp_path / "1")}, {"mechanism": OWN, "out": str(tmp_path / "2")}], [HUNG])
    rows = [line for line in text.splitlines() if line.startswith((f"| {MESH} |", f"| {OWN} |"))]
    assert "| PASS | 4.2 [4, 4.4] of 20 s | – | 2.25 s | 3.00 s | NetworkChaos gone | what it says |" in rows[0]
    assert "| – | – | 3.00 s |" in rows[1]
    assert "- said after 20.1 s: NetworkChaos aftershock/x: it is being deleted" in text
    assert "- its finalizers then: chaos-mesh/records" in text


def test_the_set_is_that_of_the_makefile() -> None:
    assert f'--chaos-target targets/chaos-mesh.yaml -k "{SET}"' in (ROOT / "Makefile").read_text()


def test_the_second_pass_is_on_the_same_cluster_without_it(tmp_path: Path) -> None:
    shipped, changed = load_target(TARGET), load_target(without_chaos_mesh(TARGET, tmp_path))
    assert shipped.only_region().chaos_mesh is not None
    assert changed.only_region() == shipped.only_region().model_copy(update={"chaos_mesh": None})
    with pytest.raises(ValueError, match="both passes would be the same"):
        without_chaos_mesh(ROOT / "targets" / "local.yaml", tmp_path)
