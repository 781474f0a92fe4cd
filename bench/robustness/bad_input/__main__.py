"""``python -m bench.robustness.bad_input``: each way in which a cluster can be wrong, done to a real run, and what the suite said and left.

One session a case, on a small cluster of the bench's own with a platform that the suite did not set up (tests/integration/staging). The
table is ``reports/out/bad-input.jsonl``, a line a case; a case that is in it is not played again unless it is named by ``--case``.
``--write FILE`` publishes the table.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import yaml

from bench.common import pages
from bench.common.tables import ROOT, Row, add_rows, rows_of
from bench.robustness.bad_input.cases import CASES
from bench.robustness.bad_input.stage import Stage
from history.reader import read_table
from history.schema import EventKind
from kube.client import Platform, connect
from runner.cleanup.leftovers import find_leftovers
from runner.preflight.platform_health import complaints, look
from target.target import load_target
from testing.platform.staging import standing
from testing.runs.real_sessions import Session, Suite
from testing.waiting import PATIENCE_S

TABLE = ROOT / "reports" / "out" / "bad-input.jsonl"
CLUSTER = "badinput"
LEFT_S = 60.0  # for the reaper: a lease's 15 s, and what a pod needs to end
MODULE = "bench.robustness.bad_input"
HEAD = """Each case is done to a whole session of
`pytest -m chaos`, on a cluster of three nodes with a platform that the suite did not set up.
It must be refused, or end with the reason: INCONCLUSIVE, or FAIL where users
were seen to suffer longer than they may; never PASS. Nothing may be left: no open undo, no living lease, no cordon, no pod of the suite.
What a run could not undo (its credentials were withdrawn) the reaper in the cluster undid.
"""


def play(name: str, platform: Platform, target_file: Path) -> Row:
    """Carry out one case; return its row."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Suite(Path(folder)), platform, target_file, Path(folder))
        try:
            outcome = outcome_of(CASES[name](stage))
        except (AssertionError, subprocess.TimeoutExpired) as error:  # it did not come so far, or to its end
            outcome = {"outcome": "not played", "said": str(error)[-2000:]}
        finally:
            stage.suite.close()
        left = remaining(lambda: remains(platform), LEFT_S) + remaining(lambda: complaints(platform, look(platform)), PATIENCE_S)
    return {"case": name, "done": (CASES[name].__doc__ or "").strip(), **outcome, "left": left}


def remaining(look_again: Callable[[], list[str]], patience_s: float) -> list[str]:
    """Look until nothing is seen any more, or patience is over; return what is seen then."""
    until_s = time.monotonic() + patience_s
    while (seen := look_again()) and time.monotonic() < until_s:
        time.sleep(1.0)
    return seen


def outcome_of(session: Session) -> Row:
    """Return the outcome and the sentence of a session: of its refusal, or why its run was stopped."""
    report = orjson.loads((session.out / "latest" / "report.json").read_bytes())
    if report["not_tested"]:
        return {"outcome": "refused", "said": report["not_tested"][0]["reason"]}
    verdict = session.verdict
    stopped = read_table(session.run_dir, "events").filter(pl.col("kind") == EventKind.STOPPED.value)["detail"].to_list()
    failed = read_table(session.run_dir, "events").filter(pl.col("kind") == EventKind.FAULT_FAILED.value)["detail"].to_list()
    reasons = [detail.get("error") or detail.get("reason") for detail in map(orjson.loads, failed + stopped)]
    return {"outcome": verdict.verdict.value, "said": str(next(filter(None, reasons), verdict.sentence))}


def remains(platform: Platform) -> list[str]:
    """Return what a run left that still does something, as words."""
    left = find_leftovers(platform)
    undone = [f"{entry.kind} {entry.object}" for journal in left.dead for entry in journal.remaining]
    return undone + sorted(left.cordons) + sorted(left.own_pods) + sorted(left.active)


def is_well(row: Mapping[str, Any]) -> bool:
    """Tell whether a case came out as it must: no PASS, no traceback, nothing left, a sentence."""
    return (
        row["outcome"] in {"refused", "INCONCLUSIVE", "FAIL"} and not row["left"] and "Traceback" not in row["said"] and bool(row["said"])
    )


def page(rows: list[Row]) -> str:
    """Return the table (Markdown)."""
    heads = ("case", "what was done", "outcome", "what was said", "left")
    lines = [(row["case"], row["done"], row["outcome"], row["said"], ", ".join(row["left"]) or "nothing") for row in rows]
    bad = [row["case"] for row in rows if not is_well(row)]
    missing = [name for name in CASES if name not in {row["case"] for row in rows}]
    count = f"{len(rows)} of {len(CASES)} cases: {len(rows) - len(bad)} as they must be, {len(bad)} not."
    not_played = f" Not played yet: {', '.join(missing)}." if missing else ""
    command = f"python -m {MODULE} --write docs/results/bad-input.md"
    return pages.page("Bad input", command, rows, HEAD, pages.table(heads, lines), count + not_played)


def stored() -> list[Row]:
    """Return the latest row of each case, in the order of the cases."""
    latest = {row["case"]: row for row in rows_of(TABLE)}
    return [latest[name] for name in CASES if name in latest]


def campaign(names: list[str]) -> None:
    """Play cases, each into the table as it ends."""
    if not names:
        return
    with tempfile.TemporaryDirectory() as folder, standing(CLUSTER, Path(folder)) as cluster:
        target_file = Path(folder) / "administrator.yaml"
        target_file.write_text(yaml.safe_dump(yaml.safe_load(cluster.target_file.read_text()) | cluster.all_rights))
        platform = connect(load_target(target_file))
        for name in names:
            row = play(name, platform, target_file)
            add_rows(TABLE, [row])
            print(f"{name}: {row['outcome']}: {row['said']}; left: {row['left']}", flush=True)


def main() -> int:
    """Play the cases that are missing or named, print, publish; exit 1 if one is not as it must be."""
    parser = pages.parser_of(MODULE, __doc__)
    parser.add_argument("--case", action="append", choices=CASES, default=[], help="play this one, again if it must be")
    options = parser.parse_args()
    have = {row["case"] for row in stored()}
    campaign(options.case or [name for name in CASES if name not in have])
    rows = stored()
    if options.write is not None:
        options.write.write_text(page(rows))
    print(f"{len(rows)} of {len(CASES)} cases, {sum(not is_well(row) for row in rows)} not as they must be")
    return int(len(rows) < len(CASES) or not all(is_well(row) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
