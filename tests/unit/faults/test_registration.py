"""What faults say of themselves: all of it is said, and what it names is there."""

from __future__ import annotations

from importlib import import_module

import pytest

from runner.experiment.catalogue import all_faults, all_probes
from testing.platform.fake_cluster import ROOT

FAULTS = all_faults()


def test_every_module_of_faults_is_listed() -> None:
    named = {name.split(".")[1] for name in FAULTS}
    assert named == {file.stem for file in (ROOT / "faults").glob("*.py")} - {"__init__"}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_says_how_it_ends_and_which_probes_prove_it(name: str) -> None:
    spec = FAULTS[name]
    assert spec.ends
    assert spec.undo
    assert spec.evidence
    assert [probe for probe in spec.evidence if probe not in all_probes()] == []


@pytest.mark.parametrize("name", FAULTS)
def test_what_ends_it_names_arguments_that_it_has(name: str) -> None:
    module, _, function = name.rpartition(".")
    code = getattr(import_module(module), function).__code__
    arguments = dict.fromkeys(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount], 1.0)
    assert "{" not in FAULTS[name].ends.format(**arguments)
