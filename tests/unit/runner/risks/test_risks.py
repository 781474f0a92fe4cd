"""Each risk is found in its weak platform and nowhere in one that is built well, and names the experiment that would prove it."""

from __future__ import annotations

from pathlib import Path

import pytest

from history.layout import DisruptionLimit, Layout, Probe
from runner.risks.find import NAMES, ONE_SCHEDULER, find_risks
from runner.risks.proofs import Proofs, read_proofs
from testing.histories.layouts import layout, role
from testing.platform.fake_cluster import ROOT
from verdict.advice.advise import CAUSES

SHIPPED = read_proofs([ROOT / "experiments"])
NEVER = DisruptionLimit(name="inference", healthy=3, of=3)
INFINITE = float("inf")
LIVENESS = Probe(asks="HTTP /health", period_s=10, failures=3)

WEAK: list[tuple[str, dict[str, object], str, str]] = [
    ("one-replica", {"wanted": 1, "ready": 1, "nodes": 1, "zones": ("a",)}, "about 14 s (start 2 s, load 12 s", "serving/replica-killed"),
    ("one-node", {"nodes": 1, "zones": ("a",)}, "about 84 s (50 s until the node is called lost, 20 s", "serving/node-silent"),
    ("one-zone", {"nodes": 3, "zones": ("a",)}, "stand in zone a", "serving/zone-lost"),
    ("pinned", {"pinned": ("PersistentVolumeClaim data-0 lies on node gpu-a",)}, "only with the node", "serving/gpu-node-lost"),
    ("late-eviction", {"toleration_s": 300.0}, "after 339 s at the earliest; budget capacity_rto", "serving/node-silent"),
    ("no-disruption-budget", {"disruption": ()}, "all of them at once", "serving/node-drained"),
    ("drain-never-ends", {"disruption": (NEVER,)}, "wants 3 of 3 pods healthy", "serving/node-drained"),
    ("drain-never-ends", {"disruption": (NEVER, NEVER)}, "no pod that has more than one", "serving/node-drained"),
    ("no-pre-stop", {"pre_stop": False}, "no preStop hook", "serving/node-drained"),
    ("no-readiness-probe", {"readiness": None}, "while it still loads", "serving/replica-killed"),
    ("no-liveness-probe", {"liveness": None}, "until somebody deletes its pod", "serving/engine-frozen"),
    ("impatient-liveness", {"liveness": LIVENESS, "startup": None, "load_s": 40.0}, "allows 30 s", "serving/replica-killed"),
    ("no-memory-limit", {"memory_limit": False}, "neighbours too", ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "weak", "part", "proof"), WEAK, ids=[f"{one[0]}-{index}" for index, one in enumerate(WEAK)])
def test_a_weak_platform_has_its_risk_and_no_other(name: str, weak: dict[str, object], part: str, proof: str) -> None:
    [found] = find_risks(layout(role(**weak)), SHIPPED)
    assert (found.name, found.role, found.where) == (name, "inference", "Deployment inference")
    assert part in found.sentence
    assert found.field
    assert proof in found.proved_by if proof else found.proved_by == ()


def test_a_platform_that_is_built_well_has_none() -> None:
    assert find_risks(layout(), SHIPPED) == ()


def test_every_risk_has_a_weak_platform_here() -> None:
    assert {*(one[0] for one in WEAK), ONE_SCHEDULER} == set(NAMES)


def test_the_page_names_every_risk_and_every_cause() -> None:
    page = (ROOT / "docs/risks.md").read_text()
    causes = [one.__name__.replace("_", "-") for one in CAUSES]
    assert [name for name in (*NAMES, *causes) if f"`{name}`" not in page] == []


def test_what_two_roles_of_one_object_show_is_named_once_with_all_that_proves_it() -> None:
    weak, gateway = role(memory_limit=False, liveness=None), role(role="gateway", memory_limit=False, liveness=None)
    alone = {one.name: one for one in find_risks(layout(gateway), SHIPPED)}
    both = {one.name: one for one in find_risks(layout(weak, gateway), SHIPPED)}
    assert [one.name for one in find_risks(layout(weak, gateway), SHIPPED)] == ["no-liveness-probe", "no-memory-limit"]
    assert both["no-liveness-probe"].role == "inference"
    assert {*alone["no-liveness-probe"].proved_by, "serving/engine-frozen"} <= {*both["no-liveness-probe"].proved_by}
    elsewhere = gateway.model_copy(update={"namespace": "ml-other"})
    assert len(find_risks(layout(weak, elsewhere), SHIPPED)) == 4


def test_who_is_alive_before_it_is_ready_is_not_killed_while_it_loads() -> None:
    weak: dict[str, object] = {"liveness": LIVENESS, "startup": None, "load_s": 40.0}
    ready = Probe(asks="HTTP /ready", period_s=1, failures=2)
    assert find_risks(layout(role(**weak, readiness=ready)), SHIPPED) == ()
    assert [one.name for one in find_risks(layout(role(**weak, readiness=LIVENESS)), SHIPPED)] == ["impatient-liveness"]
    [found] = find_risks(layout(role(**weak | {"load_s": 29.0}, readiness=ready)), SHIPPED)
    assert "loading took 29 s until it was ready, which asks something else: it may be alive before" in found.sentence


def test_the_cluster_itself_may_have_one_scheduler_or_show_none() -> None:
    [found] = find_risks(layout(schedulers=1), SHIPPED)
    assert (found.name, found.role, found.proved_by) == (ONE_SCHEDULER, "", ())
    assert find_risks(layout(schedulers=None), SHIPPED) == ()


def test_what_may_not_be_read_is_no_risk() -> None:
    assert find_risks(layout(role(disruption=None, zones=None)), SHIPPED) == ()


def test_pods_that_never_leave_a_lost_node_are_said_to() -> None:
    [found] = find_risks(layout(role(toleration_s=INFINITE)), SHIPPED)
    assert "for ever" in found.says
    assert "never back by itself" in found.costs
    assert Layout.model_validate_json(layout(role(toleration_s=INFINITE)).model_dump_json()).roles[0].toleration_s == INFINITE


def test_nobody_depends_on_a_decoy() -> None:
    assert SHIPPED.decoys == {"decoy"}
    assert find_risks(layout(role(role="decoy", wanted=1)), SHIPPED) == ()
    assert find_risks(layout(role(role="decoy", wanted=1)), Proofs({}, frozenset())) != ()


def test_a_gateway_is_proved_by_what_acts_on_gateways() -> None:
    [found] = find_risks(layout(role(role="gateway", wanted=1, budgets={})), SHIPPED)
    assert found.proved_by == ("serving/gateway-killed", "serving/gateway-leaves")


def test_experiments_of_a_single_fault_are_named_first() -> None:
    [found] = find_risks(layout(role(wanted=1, budgets={})), SHIPPED)
    assert found.proved_by.index("serving/replica-killed") < found.proved_by.index("serving/no-room")


def test_files_that_are_no_experiments_prove_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "list.yaml").write_text("- 1\n")
    (tmp_path / "odd.yaml").write_text(
        "method: [1, {provider: {module: faults.pods, func: kill, arguments: {role: 3}}}]\nextensions: [2]\n"
    )
    assert read_proofs([tmp_path]) == Proofs({}, frozenset())
