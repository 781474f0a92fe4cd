"""A target file with mistakes: every one is listed with its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from history.errors import ConfigError
from target.target import load_target

ROOT = Path(__file__).parents[3]


def written(tmp_path: Path, **changes: Any) -> Path:
    raw = yaml.safe_load((ROOT / "targets/local.yaml").read_text()) | changes
    path = tmp_path / "target.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


@pytest.mark.parametrize("name", ["local", "staging.example"])
def test_the_shipped_files_are_right(name: str) -> None:
    assert load_target(ROOT / f"targets/{name}.yaml").roles["inference"].engine


def test_every_mistake_is_listed_with_its_key(tmp_path: Path) -> None:
    roles = {"inference": {"namespace": "x", "selector": "app"}}
    path = written(tmp_path, name="Up", namespaces=[], roles=roles, colour="red", limits={"pods": "many"})
    with pytest.raises(ConfigError) as wrong:
        load_target(path)
    for key in ("name", "namespaces", "roles.inference.selector", "colour", "limits.pods"):
        assert f"{key}:" in str(wrong.value)


def test_names_that_lead_nowhere_are_listed(tmp_path: Path) -> None:
    path = written(tmp_path, prometheus="prom", roles={"gateway": {"namespace": "x", "selector": "a=b"}}, endpoints={"web": "http://w"})
    with pytest.raises(ConfigError) as wrong:
        load_target(path)
    assert "workloads.realtime-inference.role: 'inference' is not under roles" in str(wrong.value)
    assert "workloads.realtime-inference.load.endpoint: 'inference' is not under endpoints" in str(wrong.value)
    assert "prometheus: 'prom' is not under endpoints" in str(wrong.value)


def test_the_suite_s_own_namespace_is_no_target(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="suite_namespace: 'ml-serving' must not be under namespaces"):
        load_target(written(tmp_path, suite_namespace="ml-serving"))


@pytest.mark.parametrize("text", ["a: [", "", "[]"])
def test_a_file_that_is_no_target_at_all(tmp_path: Path, text: str) -> None:
    path = tmp_path / "target.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=str(path)):
        load_target(path)


def test_roles_become_configuration() -> None:
    values = load_target(ROOT / "targets/local.yaml").configuration()
    assert values["inference_selector"] == "app=inference"
    assert values["inference_namespace"] == "ml-serving"
    assert values["prometheus_endpoint"] == "http://127.0.0.1:19090"
