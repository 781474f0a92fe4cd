"""``python -m bench.training.power.soak``: ranks killed and power cut at random moments, one run a seed. Resumable.

Even seeds kill a random rank (SIGKILL), odd seeds cut the power of the disk with the checkpoints and of all ranks. The moment is random:
some step after the first verified checkpoint, and some fraction of a second after that, so within a step, a save or its commit.
Each run is judged by the suite's own verdict. The state equals that of an undisturbed run to the bit, and no sample is skipped or repeated.
Steps lost are at most one interval and what is done while a checkpoint is being saved.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from random import Random
from statistics import median

from bench.common import pages
from bench.training.power.__main__ import OUT, Trial, reference, result, run_trial, subject
from bench.training.power.disk import disk
from bench.training.power.job import BASE, RANKS
from bench.training.power.page import Result
from bench.training.power.scenarios import cut, kill
from bench.training.power.scene import Scene, Spec
from cluster.host.commands import run
from history.result import Verdict
from workloads.storage.server import ACCESS_KEY, SECRET_KEY

COMMAND = "python -m bench.training.power.soak --runs 30 --write docs/results/training-soak.md"
FIRST, LAST = 12, 66  # of the 80 steps: after the first checkpoint, and with some to go


@dataclass(frozen=True, slots=True)
class Moment:
    """When a seed strikes: after ``step``, and ``wait_s`` later."""

    step: int
    wait_s: float
    rank: int


def moment_of(seed: int) -> Moment:
    """Return a seed's moment."""
    rng = Random(seed)  # noqa: S311  moments, not secrets
    return Moment(rng.randint(FIRST, LAST), rng.random() * 0.3, rng.randrange(RANKS))


def killed(scene: Scene) -> None:
    """Kill a random rank at a random moment."""
    moment = moment_of(scene.seed)
    scene.begin(ready=(moment.step, 10))
    time.sleep(moment.wait_s)
    kill(scene, moment.rank)


def power_cut(scene: Scene) -> None:
    """Cut the power at a random moment."""
    moment, made = moment_of(scene.seed), scene.enter(disk(scene.folder / "node"))
    root = made.mount / "checkpoints"
    root.mkdir()
    scene.begin(stores=f"file://{root}", started=lambda: run("sync", "--file-system", str(made.mount)), ready=(moment.step, 10))
    time.sleep(moment.wait_s)
    cut(scene, made)


def trial_of(seed: int) -> Trial:
    """Return the run of a seed; its plan names what it will touch."""
    if seed % 2:
        return Trial(Spec("random-power-cut", "Power cut at a random moment", ("node",), ("disk-dead",), power_cut), None, seed)
    target = f"rank-{moment_of(seed).rank}"
    return Trial(Spec("random-kill", "A rank killed at a random moment", (target,), ("rank-gone",), killed), None, seed)


def markdown(results: list[Result]) -> str:
    """Return the page."""
    passed = sum(result.quiet for result in results)
    lost = [int(result.measured("lost_steps") or 0) for result in results]
    rto = [value for result in results if (value := result.measured("rto_train")) is not None]
    unknown = sum(result.verdict.verdict is Verdict.INCONCLUSIVE for result in results)
    return pages.page(
        "Soak: ranks killed and power cut at random moments",
        COMMAND,
        [result.measured_under for result in results],
        f"Resumable. {BASE['steps']} steps, {RANKS} ranks, a checkpoint every {BASE['interval']} steps, on a volume; power cuts on an XFS "
        "that is shut down without a flush.",
        f"**{passed} of {len(results)} runs PASS, {unknown} inconclusive: state equal to the bit to an undisturbed run, no sample "
        f"skipped or repeated. Steps lost: at most {max(lost)}; beyond them again after {median(rto):.1f} s at the median, "
        f"{max(rto):.1f} s at most.**",
        pages.table(("seed", "what", "after step", "then", "steps lost", "back after", "verdict", "what was said"), map(_cells, results)),
    )


def _cells(result: Result) -> tuple[object, ...]:
    moment, back_s, verdict = moment_of(result.seed), result.measured("rto_train"), result.verdict.verdict
    struck = (result.scenario, moment.step, f"{moment.wait_s * 1e3:.0f} ms", int(result.measured("lost_steps") or 0))
    return result.seed, *struck, "–" if back_s is None else f"{back_s:.1f} s", verdict, "" if result.quiet else result.sentence


def main(argv: list[str] | None = None) -> int:
    """Run what is missing, print the table; exit code 1 if a run is not PASS."""
    parser = pages.parser_of("bench.training.power.soak", __doc__)
    parser.add_argument("--runs", type=int, default=30)
    options = parser.parse_args(argv)
    os.environ |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    out = OUT / subject()
    out.mkdir(parents=True, exist_ok=True)
    undisturbed, results = reference(out), []
    for seed in range(1, options.runs + 1):
        trial = trial_of(seed)
        if not (out / trial.name).exists():
            run_trial(trial, out, undisturbed)
        results.append(result(trial, out))
        print(f"{seed}: {results[-1].line}", file=sys.stderr, flush=True)
    pages.publish(markdown(results), options.write)
    return int(not all(result.quiet for result in results))


if __name__ == "__main__":
    sys.exit(main())
