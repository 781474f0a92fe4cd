"""``python -m bench.training.recovery``: how long recovery from data corrupted at rest takes, on real S3 servers.

Training data in a versioned bucket are damaged, way by way. Each time the procedure runs as an operator would run it, timed step by step:
detect, choose the newest good version, restore, verify. Then a training job is started on them, timed until its first step (resume). Where
no version is good, the object comes from the replica, by rclone. Replication is measured beside it: objects arrive at the source while
rclone runs again and again. Then the source is gone, and what the replica lacks is its RPO.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

from bench.common import pages
from bench.common.tables import circumstances
from faults.node_agent.storage import damage
from testing.training.gang import Gang
from workloads.storage import replicate
from workloads.storage.bucket import create, s3_store
from workloads.storage.inventory import Comparison, compare, take
from workloads.storage.restore import Restored, megabytes_per_s, restore_record
from workloads.storage.s3 import S3Store
from workloads.storage.server import ACCESS_KEY, SECRET_KEY, S3Server
from workloads.training import data
from workloads.training.model import FEATURES

COMMAND = "python -m bench.training.recovery --write docs/results/recovery-at-rest.md"
BUCKET, PROJECTED_GB = "training", 500
STEPS = ("detect_s", "choose_s", "restore_s", "verify_s")
Way = Callable[[S3Store, Path, bytes, Random], object]  # (store, file below the server, good content, seeded randomness)
WAYS: dict[str, Way] = {
    "bit flip, uploaded": lambda store, _, good, rng: store.put(data.FILE, damage.flip_bit(good, rng)),
    "zeroed page, uploaded": lambda store, _, good, rng: store.put(data.FILE, damage.zero_page(good, rng)),
    "truncated by an upload": lambda store, _, good, rng: store.put(data.FILE, damage.truncate(good, rng)),
    "deleted": lambda store, _, __, ___: store.delete(data.FILE),
    "bit flip on the server's disk": lambda _, path, good, rng: path.write_bytes(damage.flip_bit(good, rng)),
}


@dataclass(frozen=True, slots=True)
class Trial:
    """One damage and its repair; seconds from the start of a job to its first step are ``resume_s``."""

    way: str
    outcomes: list[Restored]
    resume_s: float

    @property
    def data(self) -> Restored:
        """What was done for the data's file."""
        return next(outcome for outcome in self.outcomes if outcome.key.endswith(data.FILE))


def resumed_s(folder: Path, url: str) -> float:
    """Start a job on the data and return how long its first step took to come (s)."""
    gang, begun = Gang(folder, 2, {"data": url, "steps": 3, "store_wait_s": 5}), time.monotonic()
    try:
        ranks = gang.launch()
        while not gang.rows("step"):
            ranks[0].join(0.01)
            if ranks[0].exitcode:
                raise RuntimeError(f"the job on restored data ended with {ranks[0].exitcode}: {gang.log.read_text()[-500:]}")
        return time.monotonic() - begun
    finally:
        gang.end()


def repair(root: Path, samples: int, trials: int) -> list[Trial]:
    """Damage and repair, ``trials`` times each way, each on data of its own."""
    with S3Server(root / "source") as source, S3Server(root / "replica") as replica:
        for server in (source, replica):
            create(server.url(BUCKET), wait_s=10)
        cases = [(way, seed) for way in WAYS for seed in range(trials)]
        return [_trial(root / f"job-{i}", (source, replica), samples, *case) for i, case in enumerate(cases)]


def _trial(root: Path, servers: tuple[S3Server, S3Server], samples: int, way: str, seed: int) -> Trial:
    urls = [server.url(BUCKET, root.name) for server in servers]
    store = s3_store(urls[0])
    data.create(store, samples, 0)
    if "disk" in way:  # the only version that there is will be damaged: nothing but a replica helps
        replicate.copy(*urls)
    path = servers[0].path_of(BUCKET, f"{root.name}/{data.FILE}")
    WAYS[way](store, path, store.get(data.FILE), Random(f"{way}/{seed}"))  # noqa: S311  places in files, not secrets
    outcomes = restore_record(store, data.RECORD, replica=urls[1])
    return Trial(way, outcomes, resumed_s(root, urls[0]))


def replication(root: Path, objects: int, size: int) -> tuple[list[replicate.Copied], Comparison, Comparison]:
    """Let objects arrive while rclone runs again and again; return its runs, and what the replica lacked when the source went and after."""
    copied: list[replicate.Copied] = []
    with S3Server(root / "a") as a, S3Server(root / "b") as b:
        urls = [server.url(BUCKET, "runs") for server in (a, b)]
        for url in urls:
            create(url, wait_s=10)
        store, rng = s3_store(urls[0]), Random(0)  # noqa: S311  content, not secrets
        for number in range(objects):
            store.put(f"step-{number:08d}.a0001/shard-0-of-1.safetensors", rng.randbytes(size))
            if number % 5 == 4:
                copied.append(replicate.copy(*urls))
        store.put("step-99999999.a0001/shard-0-of-1.safetensors", rng.randbytes(size))
        source = take(store)
        lost = compare(source, take(s3_store(urls[1])))
        copied.append(replicate.copy(*urls))
        return copied, lost, compare(source, take(s3_store(urls[1])))


def page(trials: list[Trial], copied: list[replicate.Copied], lost: Comparison, after: Comparison) -> str:
    """Return the page in Markdown."""
    rates = [rate for trial in trials if (rate := megabytes_per_s(trial.outcomes))]
    size_mb = trials[0].data.bytes / 1e6
    moved = [run for run in copied if run.objects]
    return pages.page(
        "Recovery from data corrupted at rest",
        COMMAND,
        [circumstances()],
        f"{size_mb:.0f} MB of training data in a versioned bucket (versitygw), medians of {len(trials) // len(WAYS)} trials a way. "
        "The procedure is `python -m workloads.storage.restore`, resume is a job's first step.",
        f"**Detection to verification: {median(rates):.0f} MB/s at the median, {min(rates):.0f} at least; {PROJECTED_GB} GB would take "
        f"{PROJECTED_GB * 1000 / median(rates) / 60:.0f} minutes at that rate on this machine. Detected and repaired: "
        f"{sum(bool(trial.data.problem) for trial in trials)} of {len(trials)} damages.**",
        pages.table(
            ("damage", *(step.replace("_", " ") for step in (*STEPS, "resume_s")), "restored from", "MB/s"),
            (_cells([trial for trial in trials if trial.way == way]) for way in WAYS),
        ),
        "## Replication",
        f"`python -m workloads.storage.replicate` (rclone): {sum(run.objects for run in moved)} objects in {len(moved)} runs, "
        f"{median(run.mb_per_s for run in moved):.1f} MB/s at the median. When the source was gone, the replica "
        f"lacked {len(lost.missing)} of {lost.objects} objects: **RPO of the replica {lost.rpo_s:.1f} s**. After one more run: "
        f"{replicate.sentence(after)}.",
    )


def _cells(trials: list[Trial]) -> tuple[str, ...]:
    times = (f"{median(getattr(trial.data, step) for trial in trials):.2f}" for step in STEPS)
    where = "the replica" if trials[0].data.version_id == "replica" else "an older version"
    rate = median(megabytes_per_s(trial.outcomes) or 0.0 for trial in trials)
    return trials[0].way, *times, f"{median(trial.resume_s for trial in trials):.1f}", where, f"{rate:.0f}"


def main(argv: list[str] | None = None) -> int:
    """Measure and print; exit code 1 if a damage went unnoticed or the replica was not the same in the end."""
    parser = pages.parser_of("bench.training.recovery", __doc__)
    parser.add_argument("--megabytes", type=float, default=64, help="size of the training data (default: %(default)s)")
    parser.add_argument("--trials", type=int, default=3, help="trials a way (default: %(default)s)")
    options = parser.parse_args(argv)
    os.environ |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    with tempfile.TemporaryDirectory() as folder:
        trials = repair(Path(folder), int(options.megabytes * 1e6 / (4 * FEATURES + 8)), options.trials)
        copied, lost, after = replication(Path(folder), 20, 200_000)
    pages.publish(page(trials, copied, lost, after), options.write)
    return int(not (all(trial.data.problem for trial in trials) and after.equal))


if __name__ == "__main__":
    sys.exit(main())
