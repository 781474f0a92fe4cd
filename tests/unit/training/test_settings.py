from __future__ import annotations

from dataclasses import MISSING, fields

import pytest

from workloads.training.errors import SettingsRefused
from workloads.training.preflight import check_nodes
from workloads.training.settings import Settings, from_environment, main

NEEDED = {"TRAIN_RUN_ID": "r", "TRAIN_STORES": "file:///a, file:///b", "TRAIN_LEDGER": "file:///l"}


def test_defaults_are_the_hardened_variant() -> None:
    settings = from_environment(NEEDED | {"OTHER": "x"})
    assert settings.stores == ("file:///a", "file:///b")
    assert settings.weaknesses == ()
    assert settings.verify
    assert settings.fsync
    assert settings.keep >= 2


def test_weaknesses_name_themselves() -> None:
    settings = from_environment(NEEDED | {"TRAIN_VERIFY": "off", "TRAIN_KEEP": "1", "TRAIN_STEPS": "7"})
    assert settings.weaknesses == ("keep=1", "verify=False")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("TRAIN_VERIFY", "maybe", "expected on or off"),
        ("TRAIN_STEPS", "many", "expected a whole number"),
        ("TRAIN_STEPS", "0", "expected at least 1"),
        ("TRAIN_COLLECTIVE_TIMEOUT_S", "nan", "expected at least 0.5"),
        ("TRAIN_FORMAT", "zip", "expected sealed or torch"),
        ("TRAIN_STEP", "3", "there is no such setting"),
        ("TRAIN_RUN_ID", "", "must be set"),
    ],
)
def test_a_bad_value_is_refused_in_a_sentence(name: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsRefused) as refusal:
        from_environment(NEEDED | {name: value})
    assert name in str(refusal.value)
    assert expected in str(refusal.value)


def test_every_setting_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(fields(Settings))
    assert all(len(f.metadata["about"]) > 15 for f in fields(Settings))
    assert sum(f.default is MISSING for f in fields(Settings)) == 3


@pytest.mark.parametrize("nodes", ["1", "3", "2:3", "3:4"])
def test_nodes_that_cannot_train_twice(nodes: str) -> None:
    check_nodes(nodes)


@pytest.mark.parametrize("nodes", ["", "x", "0", "3:2", "1:2", "2:4", "1:"])
def test_nodes_that_could_are_refused(nodes: str) -> None:
    with pytest.raises(SettingsRefused, match="TRAIN_NODES"):
        check_nodes(nodes)
