"""``python -m bench.training.power``: weakness → caught? → by which check → the sentence in the report. Resumable.

Every weak variant meets the scenario that should reveal it, and the hardened variant meets every scenario ``--runs`` times. A weakness
counts as caught only by a FAIL of the check that its row names. A hardened run that is a FAIL is a false alarm; one that is INCONCLUSIVE is
counted, too. Runs are kept in ``reports/out/power/`` by the digest of the workload (after changing a scenario, remove them); they are
judged when the table is made, by the verdict as it is then.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.common import pages
from bench.common.tables import ROOT, add_rows, rows_of
from bench.training.power.job import BASE, RANKS, Forked, Settings, wait
from bench.training.power.page import Result, markdown
from bench.training.power.scenarios import SCENARIOS
from bench.training.power.scene import Scene, Spec
from bench.training.power.weaknesses import WEAKNESSES, Weakness
from history.reader import read_run
from verdict.judge import judge
from workloads.storage.server import ACCESS_KEY, SECRET_KEY

MEASURED = "measured.jsonl"  # in a run's folder: date, commit and machine load
OUT = ROOT / "reports" / "out" / "power"
SUBJECT = ("workloads/training", "workloads/storage")
SPECS = {spec.id: spec for spec in SCENARIOS}


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of the campaign; without a weakness it is the hardened variant's."""

    spec: Spec
    weakness: Weakness | None
    seed: int

    @property
    def name(self) -> str:
        """Where its run is kept."""
        return f"{self.spec.id}/{(self.weakness.name if self.weakness else 'hardened').replace(' ', '-')}-{self.seed}"


def subject() -> str:
    """Return the digest of what is tested, as 12 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in SUBJECT for path in (ROOT / folder).rglob("*.py")):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def trials(runs: int, only: str) -> Iterator[Trial]:
    """Yield every run of the campaign: the weak ones first."""
    every = [Trial(SPECS[weakness.scenario], weakness, 1) for weakness in WEAKNESSES]
    every += [Trial(spec, None, seed) for seed in range(1, runs + 1) for spec in SCENARIOS]
    yield from (trial for trial in every if only in trial.name)


def reference(out: Path) -> bytes:
    """Return the ledger of a run that nothing disturbed, made once."""
    path = out / "reference.jsonl"
    if not path.exists():
        job = Forked(out / "reference", {})
        try:
            job.start()
            wait(job, lambda: job.ended, 300)
            path.write_bytes(job.gang.ledger.read_bytes())
        finally:
            job.close()
            shutil.rmtree(out / "reference")
    return path.read_bytes()


def run_trial(trial: Trial, out: Path, undisturbed: bytes) -> None:
    """Run one trial; its run folder appears when it is whole."""
    folder, part = out / trial.name, out / f"{trial.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    weak: Settings = trial.weakness.settings if trial.weakness else {}
    scene = Scene(part, trial.spec, weak, trial.seed)
    try:
        trial.spec.run(scene)
        scene.observe()
        scene.finish(undisturbed, trial.weakness.name if trial.weakness else "hardened")
    finally:
        scene.close()
    (part / "job" / "log").rename(part / "run" / "ranks.log")
    add_rows(part / "run" / MEASURED, [{}])
    (part / "run").rename(folder)
    shutil.rmtree(part)


def result(trial: Trial, out: Path) -> Result:
    """Judge a kept run."""
    folder = out / trial.name
    measured = next(iter(rows_of(folder / MEASURED)), {})
    return Result(trial.spec.id, trial.weakness, trial.seed, judge(read_run(folder)), measured)


def main(argv: list[str] | None = None) -> int:
    """Run what is missing, print the table; exit code 1 if a weakness was not caught or a hardened run raised a false alarm."""
    parser = pages.parser_of("bench.training.power", __doc__)
    parser.add_argument("--runs", type=int, default=3, help="hardened runs of each scenario (default: %(default)s)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only runs whose name contains this")
    options = parser.parse_args(argv)
    os.environ |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    out = OUT / subject()
    out.mkdir(parents=True, exist_ok=True)
    undisturbed = reference(out)
    results = []
    for trial in trials(options.runs, options.only):
        if not (out / trial.name).exists():
            run_trial(trial, out, undisturbed)
        results.append(result(trial, out))
        print(results[-1].line, file=sys.stderr, flush=True)
    text = markdown(results, f"{BASE['steps']} steps, {RANKS} ranks, a checkpoint every {BASE['interval']}")
    pages.publish(text, options.write)
    return int(not all(result.caught if result.weakness else result.quiet for result in results))


if __name__ == "__main__":
    sys.exit(main())
