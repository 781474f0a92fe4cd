"""What the kill campaign and its kin count, and when they say that a bound was missed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from bench.campaigns.kill import effects
from bench.campaigns.kill import page as kill_page
from bench.campaigns.kill.effects import still_in_force
from bench.campaigns.kill.families import Family, experiment, experiment_file, families
from bench.campaigns.kill.platform import SLOTS
from bench.campaigns.kill.trial import in_force
from bench.campaigns.out_of_reach import page as out_of_reach_page
from bench.campaigns.out_of_reach.page import CUT, LOST
from bench.common.tables import Row
from history.errors import ConfigError
from history.plan import ResolvedTarget, write_plan
from history.schema import EventKind
from runner.experiment.catalogue import all_faults, fault_of
from runner.experiment.experiment import read_experiment
from runner.experiment.steady_state import for_target
from safety.fault_spec import REGISTERED, FaultSpec, KillTrial
from safety.undo_journal import UndoKind
from testing.platform.fake_cluster import ROOT, FakeCluster, local_target
from testing.runs.campaign_rows import SESSION as CUT_SHORT
from testing.runs.campaign_rows import TRIAL as KILLED
from testing.runs.runner_parts import plan_of

TRIAL: Row = KILLED | {"signal": "SIGTERM"}
SESSION: Row = CUT_SHORT | {"signal": CUT}


@pytest.mark.parametrize("name", families())
def test_the_experiment_of_a_family_is_valid_and_proven_as_its_fault_says(name: str, tmp_path: Path) -> None:
    file = experiment_file(tmp_path, name)
    file.parent.mkdir(parents=True)
    file.write_text(yaml.safe_dump(experiment(name)))
    read = read_experiment(file, tmp_path / "experiments")
    [spec] = [fault_of(action.provider) for action in read.document.method]
    assert spec
    assert [probe.provider.name for probe in read.settings.evidence] == [spec.evidence[0]]


def test_every_registered_fault_is_tried_on_some_platform_or_left_out_for_a_reason() -> None:
    tried = {name for slot in SLOTS for name in slot.families}
    assert tried == set(families())
    reasons = {name: spec.killed.left_out for name, spec in all_faults().items() if name not in tried}
    assert all(reason.strip() for reason in reasons.values())


def test_whatever_can_outlive_its_run_is_looked_for() -> None:
    over_at_once = {name for name, family in families().items() if not family.lasting}
    kinds = {name: set(all_faults()[name].undo) for name in over_at_once}
    assert {name for name, undo in kinds.items() if undo != {UndoKind.NOTHING}} == {"faults.processes.kill_engine"}  # its pod is replaced


Registered = Callable[..., dict[str, Family]]


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Registered:
    """Register a fault that nobody here has heard of; return the campaign's families then."""

    def made_up(role: str, for_s: float, share: float) -> None: ...

    def register(killed: KillTrial | None = None) -> dict[str, Family]:
        monkeypatch.setattr(made_up, "__module__", "faults.made_up")
        monkeypatch.setitem(REGISTERED, "faults.made_up.made_up", made_up)
        spec = FaultSpec(
            resolve=lambda *_: [], permissions=lambda *_: [], tier="node", evidence=("probes.network.out_of_reach",),
            **({"killed": killed} if killed else {}),
        )  # fmt: skip
        spec(made_up)
        return families()

    return register


def test_a_new_fault_is_in_the_campaign_by_its_registration_alone(registered: Registered) -> None:
    family = registered(KillTrial(arguments={"share": 0.5}))["faults.made_up.made_up"]
    assert family.arguments_of("faults.made_up.made_up") == {"role": "victim", "for_s": 8, "share": 0.5}
    assert (family.kind, family.lasting) == ("Pod", ("probes.network.out_of_reach",))
    assert "faults.made_up.made_up" in SLOTS[0].families


def test_a_new_fault_that_cannot_be_called_is_refused_by_name_and_one_with_a_reason_is_left_out(registered: Registered) -> None:
    with pytest.raises(ConfigError, match=r"fault faults.made_up.made_up: the kill campaign cannot call .* without share; give"):
        registered()
    assert "faults.made_up.made_up" not in registered(KillTrial(left_out="it needs a moon"))


@pytest.fixture
def over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Store the plan of a run that is over, with targets of its fault."""
    monkeypatch.setattr(effects, "PAUSE_S", 0.0)

    def store(*targets: ResolvedTarget) -> Path:
        write_plan(plan_of(SHAM, targets=targets), tmp_path)
        return tmp_path

    return store


SHAM = for_target(read_experiment(ROOT / "experiments/control/sham-control.yaml", ROOT / "experiments"), local_target())
NODES = tuple(ResolvedTarget(kind="Node", name=name, uid=f"uid-{name}", node=name) for name in ("gpu-a", "gpu-b"))


def test_without_a_target_to_look_at_nothing_is_taken_for_gone(over: Callable[..., Path]) -> None:
    pods = ResolvedTarget(kind="Pod", name="victim-0", uid="uid-0", namespace="kill")
    said = ["faults.nodes.cordon has no node among its targets, so nobody can look"]
    assert still_in_force(over(pods), "faults.nodes.cordon", FakeCluster().platform()) == said


def test_an_effect_on_one_of_several_targets_is_still_in_force(over: Callable[..., Path]) -> None:
    cluster = FakeCluster()
    assert still_in_force(over(*NODES), "faults.nodes.cordon", cluster.platform()) == []
    cluster.nodes["gpu-b"].spec.unschedulable = True
    assert still_in_force(over(*NODES), "faults.nodes.cordon", cluster.platform()) == ["node gpu-b: still probes.nodes.cordoned"]
    assert still_in_force(None, "faults.nodes.cordon", cluster.platform()) == []


def test_a_pod_that_was_replaced_carries_no_effect_and_one_that_cannot_be_looked_at_may(over: Callable[..., Path]) -> None:
    cluster = FakeCluster()
    target = ResolvedTarget(kind="Pod", name="inference-a", namespace="ml-serving", uid="uid-inference-a", node="gpu-a")
    [said] = still_in_force(over(target), "faults.network.isolate", cluster.platform())
    assert said.startswith("pod inference-a: still probes.network.out_of_reach cannot tell: pod inference-a: its containers name no port")
    del cluster.pods["ml-serving", "inference-a"]
    assert still_in_force(over(target), "faults.network.isolate", cluster.platform()) == []


@pytest.mark.parametrize("change", [{"struck": False}, {"phase": "start"}, {"refused": "lease x: held by another"}])
def test_what_was_not_struck_in_its_run_does_not_count(change: Row) -> None:
    assert kill_page.counts(TRIAL)
    assert not kill_page.counts(TRIAL | change)


@pytest.mark.parametrize(
    "change", [{"alive": ["still cordoned"]}, {"left_after_heal": ["journal"]}, {"acknowledged_s": 5.1}, {"acknowledged_s": None}]
)
def test_a_bound_of_the_kill_campaign_is_missed(change: Row) -> None:
    row = {key: value for key, value in (TRIAL | change).items() if value is not None}
    assert not kill_page.missed([TRIAL])
    assert kill_page.missed([TRIAL, row])


def test_healing_that_is_under_way_needs_no_acknowledgement() -> None:
    row = {key: value for key, value in (TRIAL | {"phase": "heal"}).items() if key != "acknowledged_s"}
    assert not kill_page.missed([row])


def test_the_page_says_how_many_undos_were_acknowledged_in_time() -> None:
    page = kill_page.page([TRIAL, TRIAL | {"acknowledged_s": 6.0}, TRIAL | {"in_force": False, "acknowledged_s": 9.0}])
    assert "| healing begins | 2 | 3.05 | 6.00 | 1 of 2 within 5 s |" in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"verdict": "FAIL"}, "false verdict FAIL"),
        ({"verdict": "PASS", "proven": False}, "false verdict PASS"),
        ({"traceback": True}, "a traceback"),
        ({"open": ["node cpu-b"]}, "not undone by the run itself: node cpu-b"),
        ({"alive": ["still silent"]}, "alive after its deadline: still silent"),
        ({"left_after_heal": ["journal"]}, "left after heal: journal"),
    ],
)
def test_a_bound_of_a_session_out_of_reach_is_missed(change: Row, said: str) -> None:
    fine = [SESSION, SESSION | {"verdict": "PASS"}, TRIAL | {"signal": LOST, "traceback": False}]
    assert not out_of_reach_page.missed(fine)
    assert out_of_reach_page.missed([*fine, SESSION | change])
    assert said in out_of_reach_page.page([*fine, SESSION | change])


@pytest.mark.parametrize(("t_ns", "expected"), [(1, False), (2, True), (3, True), (4, False)])
def test_a_fault_is_in_force_from_its_start_to_its_end(t_ns: int, expected: bool) -> None:
    rows: list[dict[str, Any]] = [{"t_ns": 2, "kind": EventKind.FAULT_START.value}, {"t_ns": 4, "kind": EventKind.FAULT_END.value}]
    assert in_force(pl.DataFrame(rows), t_ns) is expected
