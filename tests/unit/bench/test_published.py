"""The published figures are read from pages as their own benches write them: what misses a bound there is reported as missed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.accuracy import soak
from bench.campaigns.kill import page as kill
from bench.campaigns.out_of_reach import page as out_of_reach
from bench.common.published import DOCS, FIGURES, main, read
from bench.common.tables import Row
from bench.mutations import page as mutations
from bench.robustness.bad_input import __main__ as bad_input
from bench.robustness.bad_input.cases import CASES
from testing.runs.campaign_rows import SESSION
from testing.runs.campaign_rows import TRIAL as KILLED

MUTANT: Row = {"part": "fault", "where": "memory", "verdict": "INCONCLUSIVE", "right": True, "check": "evidence", "sentence": "never seen"}
TWIN: Row = MUTANT | {"part": "twin", "verdict": "PASS", "check": ""}
NULL_RUN: Row = {"commit": "a1", "verdict": "PASS", "sentence": "no impact", "run": "deleted"}
CUT: Row = SESSION | {"signal": out_of_reach.CUT, "verdict": "PASS"}
BAD_INPUT: Row = {"done": "Do it.", "outcome": "refused", "said": "401 Unauthorized", "left": []}
ROWS: dict[str, list[Row]] = {
    "mutations": [MUTANT | {"name": str(n)} for n in range(40)] + [TWIN | {"name": f"twin {n}"} for n in range(12)],
    "null-runs": [NULL_RUN] * 30,
    "kill-campaign": [KILLED] * 100 + [KILLED | {"signal": "SIGTERM"}] * 50,
    "out-of-reach": [CUT] * 24,
    "bad-input": [BAD_INPUT | {"case": name} for name in CASES],
}
WRITERS = {
    "mutations": lambda rows: mutations.page(rows, "command"),
    "null-runs": lambda rows: soak.page(rows, "control/null-control", "command"),
    "kill-campaign": kill.page,
    "out-of-reach": out_of_reach.page,
    "bad-input": bad_input.page,
}


def publish(docs: Path, changed: str = "", rows: list[Row] | None = None) -> int:
    """Write every page from rows that reach all bounds, but ``changed`` from ``rows``."""
    for name, good in ROWS.items():
        (docs / f"{name}.md").write_text(WRITERS[name](rows if rows is not None and name == changed else good))
    return main(docs)


def test_every_figure_that_we_publish_is_found_on_its_page() -> None:
    assert {figure.page for figure in FIGURES if read(figure, DOCS)[0] == "not published"} == set()


def test_figures_that_reach_their_bounds_pass(tmp_path: Path) -> None:
    assert publish(tmp_path) == 0


@pytest.mark.parametrize(
    ("page", "at", "change"),
    [
        ("mutations", 0, {"verdict": "PASS"}),
        ("mutations", 0, {"right": False}),
        ("mutations", 40, {"verdict": "INCONCLUSIVE"}),
        ("mutations", 0, None),
        ("mutations", 40, None),
        ("null-runs", 0, {"verdict": "FAIL"}),
        ("null-runs", 0, None),
        ("kill-campaign", 0, {"alive": ["still cordoned"]}),
        ("kill-campaign", 0, {"left_after_heal": ["journal"]}),
        ("kill-campaign", 0, None),
        ("kill-campaign", 100, {"alive": ["still cordoned"]}),
        ("kill-campaign", 100, {"left_after_heal": ["journal"]}),
        ("kill-campaign", 100, None),
        ("out-of-reach", 0, {"verdict": "FAIL"}),
        ("out-of-reach", 0, {"proven": False}),
        ("bad-input", 0, {"outcome": "PASS"}),
        ("bad-input", 0, {"left": ["pod"]}),
        ("bad-input", 0, None),
    ],
)
def test_a_row_too_bad_or_too_few_misses_a_bound(tmp_path: Path, page: str, at: int, change: Row | None) -> None:
    rows = list(ROWS[page])
    rows[at : at + 1] = [] if change is None else [rows[at] | change]
    assert publish(tmp_path, page, rows) == 1


def test_a_page_that_is_not_there_misses_its_bound(tmp_path: Path) -> None:
    publish(tmp_path)
    (tmp_path / "bad-input.md").unlink()
    assert main(tmp_path) == 1
