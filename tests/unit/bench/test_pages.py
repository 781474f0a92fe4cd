"""What every published page has: its command, when it was measured, tables that no content can break; and the list of all benches."""

from __future__ import annotations

import importlib
from pathlib import Path

from bench.__main__ import PARTS, benches
from bench.common import pages
from bench.common.tables import add_rows, rows_of

QUIET = {"measured_at": "2026-11-28T10:00:00+00:00", "commit": "a1", "load_average": 0.5, "cores": 2}
BUSY = {"measured_at": "2026-11-29T23:00:00+00:00", "commit": "b2", "load_average": 7.5, "cores": 2}


def test_a_page_says_how_and_when_it_was_made_and_leaves_out_empty_parts() -> None:
    text = pages.page("Title", "python -m x", [QUIET], "a part", "", "another")
    assert text == "# Title\n\nMade by `python -m x`.\n\nmeasured 2026-11-28 at a1, load 0.5 on 2 cores\n\na part\n\nanother\n"


def test_rows_of_a_campaign_are_a_span_and_what_older_rows_lack_is_said() -> None:
    assert pages.circumstances_of([BUSY, QUIET]) == "measured 2026-11-28 to 2026-11-29 at a1, b2, load 0.5 to 7.5 on 2 cores"
    assert pages.circumstances_of([QUIET, {"commit": "a0"}]) == (
        "measured 2026-11-28 at a0, a1, load 0.5 on 2 cores; 1 of 2 measurements are older than these notes"
    )
    assert pages.circumstances_of([{"commit": "a0"}]) == "measured on a day that was not noted at a0, load not noted"


def test_a_cell_cannot_break_its_table() -> None:
    assert pages.table(("a", "b"), [("x | y\nz", "<b>"), (1, None)]) == "| a | b |\n|---|---|\n| x / y z | &lt;b> |\n| 1 | None |"


def test_a_row_is_kept_with_its_circumstances_and_what_it_says_itself_wins(tmp_path: Path) -> None:
    table = tmp_path / "folder" / "t.jsonl"
    add_rows(table, [{"name": "x"}, {"name": "y", "commit": "c3"}])
    first, second = rows_of(table)
    assert {"name", *pages.NOTED} == set(first)
    assert (second["name"], second["commit"]) == ("y", "c3")


def test_the_list_names_every_bench_once_and_each_can_be_called() -> None:
    named = dict(benches())
    assert set(PARTS) <= set(named)
    assert {"bench.mutations", "bench.campaigns.kill", "bench.robustness.bad_input"} <= set(named)
    assert all(sentence and importlib.util.find_spec(module) for module, sentence in named.items())
