"""Generated pages: what is published is what the command writes, and it says of each fault what somebody needs who uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.__main__ import ASYNC, EXPERIMENTS, LOCAL, ROOT
from runner.commands import catalogue_pages, fault_page
from runner.drivers.choice import read_target
from runner.experiment.catalogue import all_faults, all_probes
from runner.experiment.experiment import read_experiment
from target.target import load_target

PAGES = catalogue_pages.pages(ROOT, load_target(LOCAL), [read_target(ASYNC)])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_published_page_is_current(page: Path) -> None:
    assert page.read_text() == PAGES[page], "write it anew: python -m runner catalogue"


def test_every_fault_and_probe_has_a_section_with_its_arguments() -> None:
    text = PAGES[ROOT / "docs" / "faults.md"]
    assert [name for name in (*all_faults(), *all_probes()) if f"#### `{name}`" not in text] == []
    assert "  - `latency_ms`: ms\n" in text
    assert "  - `count`: whole number, default `1`\n" in text
    assert "delete, get, list pods in each namespace of the platform" in text


def test_what_an_experiment_takes_as_evidence_is_listed_with_its_fault() -> None:
    experiments = [read_experiment(file, EXPERIMENTS) for file in sorted(EXPERIMENTS.glob("storage/*.yaml"))]
    found = fault_page.evidence_in(experiments)
    assert found["faults.training_data.overwrite"] == ["probes.training_data.damaged"]
    assert found["faults.disks.fill_disk"] == ["probes.disks.full", "probes.training.save_failed"]


def test_a_docstring_becomes_prose() -> None:
    def documented() -> None:
        """Do ``x`` as :func:`faults.pods.kill` does (same errors). Raises as :func:`faults.pods.kill`.

        Args:
            role: nobody's.

        """

    assert fault_page.prose(documented) == "Do `x` as `faults.pods.kill` does."


def test_rows_stand_between_their_marks_alone() -> None:
    assert catalogue_pages.with_rows("a\n<!-- generated: x -->\nold\n<!-- end -->\nb\n", []).splitlines()[::5] == ["a", "b"]
