from __future__ import annotations

import json
from pathlib import Path

from bench.accuracy import soak

FIGURES = {"rto_s": 0.0, "resolution_s": 0.051, "send_lag_p99_ms": 1.5, "load_average": 7.5}
ROW = {"commit": "a1", "exit": 0, "verdict": "PASS", "sentence": "no | impact"} | FIGURES
REFUSED = {"commit": "a1", "exit": 11, "verdict": "REFUSED", "sentence": "somebody else runs"}


def test_rows_of_all_commits_count_and_those_without_a_verdict_do_not(tmp_path: Path) -> None:
    table = tmp_path / "t.jsonl"
    assert soak.read_rows(table) == []
    table.write_text("".join(json.dumps(row) + "\n" for row in (ROW, ROW | {"commit": "b2"}, REFUSED)))
    assert len(soak.judged(soak.read_rows(table))) == 2
    assert soak.read_rows(table, "b2") == [ROW | {"commit": "b2"}]


def test_the_page_leaves_no_row_out_and_survives_a_run_that_was_deleted(tmp_path: Path) -> None:
    rows = [ROW | {"run": str(tmp_path / "deleted")}, REFUSED]
    page = soak.page(rows, "control/null-control", "make soak")
    assert "1 judged runs: 1 PASS, 0 INCONCLUSIVE, 0 FAIL, 1 REFUSED, 0 BROKEN" in page
    assert "| 1 | a1 | 7.5 | PASS | 0.051 | 1.500 | no / impact |" in page
    assert "| 2 | a1 | – | REFUSED | – | – | somebody else runs |" in page
    assert "no null run was judged" in page
