"""What the campaign of single faults tries, and when it says that a bound was missed."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import kube.container_exec
import safety.undo
from bench.campaigns.alone import pace, platform, scene, trial, trials
from bench.campaigns.alone.page import body, families, lacking
from bench.campaigns.alone.trial import missed
from bench.common.tables import Row
from faults.node_agent.storage.records import files_of
from history.errors import ConfigError, NoData
from runner.experiment.catalogue import all_faults, function_named
from target.target import load_target
from testing.platform.fake_cluster import ROOT, local_target
from testing.runs.runner_cluster import RunnerCluster

WELL: Row = {
    "fault": "faults.pods.kill",
    "evidence": "probes.pods.gone",
    "confirm_limit_s": 45.0,
    "end_limit_s": 30.0,
    "before": False,
    "proven_s": 1.5,
    "ended": "at once",
    "ended_s": 0.0,
    "error": "",
    "left": [],
}
HOST = yaml.safe_load((ROOT / "targets" / "local.yaml").read_text())


def test_every_registered_fault_is_tried_or_left_out_for_a_reason() -> None:
    assert set(trials.trials()) | set(trials.LEFT_OUT) == set(all_faults())
    assert not set(trials.trials()) & set(trials.LEFT_OUT)
    assert all(trials.LEFT_OUT.values())


def test_a_fault_of_which_nobody_says_how_it_is_tried_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "MORE", {})
    with pytest.raises(ConfigError, match=r"nobody says how to try .*faults\.weights\.overwrite; add it to MORE, or to LEFT_OUT"):
        trials.trials()


@pytest.mark.parametrize("name", trials.trials())
def test_fault_and_probes_can_be_called_with_what_is_given(name: str) -> None:
    one = trials.trials()[name]
    inspect.signature(function_named(name)).bind(**one.arguments())
    for probe in (one.family.evidence, *one.family.lasting):
        inspect.signature(function_named(probe)).bind(**one.family.arguments_of(probe))


def test_on_a_slow_processor_faults_last_longer_up_to_a_bound() -> None:
    usual, slow, slowest = (trials.trials(factor) for factor in (1.0, 5.0, 50.0))
    assert [each["faults.dns.fail"].for_s for each in (usual, slow, slowest)] == [trials.SHORTEST_S, 40, trials.LONGEST_S]
    assert slow[trials.LATE].arguments()["latency_ms"] == 2500


def test_what_stays_until_it_is_undone_is_not_waited_for() -> None:
    made = trials.trials()
    assert made["faults.network.isolate"].ends_by_itself
    waits = ("faults.nodes.cordon", "faults.zones.lose", "faults.checkpoints.damage_checkpoints", "faults.pods.kill")
    assert not any(made[name].ends_by_itself for name in waits)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"before": True}, ["its evidence was true before it"]),
        ({"proven_s": None}, ["not proven within 45 s"]),
        ({"ended_s": None}, ["not over within 30 s"]),
        ({"left": ["pod x"]}, ["left: pod x"]),
        ({"error": "FaultFailed: no"}, ["FaultFailed: no"]),
    ],
)
def test_a_trial_misses_what_was_not_seen(changes: Row, said: list[str]) -> None:
    assert missed(WELL | changes) == said


def test_a_trial_that_went_wrong_is_tried_again_and_only_the_newest_counts() -> None:
    wrong = WELL | {"proven_s": None}
    assert WELL["fault"] in lacking([])
    assert WELL["fault"] in lacking([WELL, wrong])
    assert WELL["fault"] not in lacking([wrong, WELL])


def test_the_page_says_what_was_tried_and_what_was_not() -> None:
    text = body([WELL, WELL | {"fault": "faults.pods.leave", "proven_s": None}])
    assert f"1 of {len(trials.trials())} faults acted" in text
    assert f"0 of {len(families(list(trials.trials())))} families" in text
    assert "| `faults.pods.leave` | `probes.pods.gone` | no | 45 |" in text
    assert "- `faults.dns.fail`: not tried yet" in text


def test_limits_are_longer_only_within() -> None:
    before = (safety.undo.GONE_S, dict(kube.container_exec.output_of.__kwdefaults__))
    with pace.unhurried(10):
        assert before[0] * 10 == safety.undo.GONE_S
        assert kube.container_exec.output_of.__kwdefaults__ == {"limit_s": kube.container_exec.TIMEOUT_S * 10}
    assert (safety.undo.GONE_S, dict(kube.container_exec.output_of.__kwdefaults__)) == before


@pytest.mark.parametrize("slot", [platform.PODS, platform.NODES])
def test_its_target_files_are_good_and_have_every_role_that_is_hit(slot: Any, tmp_path: Path) -> None:
    file = tmp_path / "target.yaml"
    file.write_text(yaml.safe_dump(scene.target_of(slot, HOST)))
    roles = load_target(file).roles
    assert {one.arguments()["role"] for one in trials.trials().values() if one.slot is slot} <= set(roles)


def test_the_server_s_checkpoint_is_sealed(tmp_path: Path) -> None:
    script = platform.STORED.replace("/data/", f"{tmp_path}/")
    exec(compile(script, "stored", "exec"), {})  # noqa: S102 - the pod's own words
    (record,) = tmp_path.rglob("manifest.json")
    assert set(files_of(record.read_bytes())) == {"shard-0"}
    assert json.loads(record.read_text())["body"]


def test_no_answer_is_neither_proof_nor_end(monkeypatch: pytest.MonkeyPatch) -> None:
    one = trials.trials()["faults.pods.kill"]

    def silent(activity: str) -> bool:
        raise NoData(activity)

    monkeypatch.setattr(trial, "function_named", lambda _: silent)
    assert not trial._seen(one, "probes.pods.gone")
    assert not trial._denied(one, "probes.pods.gone")


def test_what_is_left_is_named() -> None:
    cluster = RunnerCluster()
    seen = cluster.platform(local_target())
    assert scene.left(seen) == []
