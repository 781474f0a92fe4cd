"""``python -m bench.training.checkpoints``: how many damaged checkpoints are noticed, by our loader and by stock loaders.

A real run (three ranks) leaves checkpoints of steps 10 and 20 on a volume; the same tensors are written as stock tools write them
(loaders.py), and all of it is copied into an S3 bucket. Then the newest checkpoint is damaged, seed by seed, and a resume is
tried with our loader and with each stock loader. In S3, bytes are damaged twice. First in the server's file, as a disk would: boto3
compares what it reads with the server's checksum, as it does by default, for stock loaders, too. Then before they were uploaded, so that
the server's checksum is that of the damaged bytes.

Exit code 1 if ours let anything pass unnoticed, or complained about an undamaged checkpoint.
"""

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from bench.common import pages
from bench.common.tables import ROOT
from bench.training.checkpoints_page import markdown
from bench.training.loaders import NEW, OLD, OURS, RANKS, RUN, STOCK, WIDTH, Entries, Tool, write
from faults.node_agent.storage import damage
from workloads.storage.bucket import create, s3_store
from workloads.storage.folder import FolderStore
from workloads.storage.server import ACCESS_KEY, SECRET_KEY, S3Server
from workloads.storage.store import Store
from workloads.training.checkpoint import shard
from workloads.training.checkpoint.catalog import read_shard, survey

BUCKET = "bench"
NOTICED, SILENT, OLDER, UNHARMED, ALARM, ABSENT = "noticed", "SILENT", "older, silently", "unharmed", "false alarm", "–"
UNDAMAGED = "(undamaged)"
VOLUME, DISK, UPLOAD = "volume", "S3, damaged on its disk", "S3, uploaded damaged"
STORAGES = VOLUME, DISK, UPLOAD


@dataclass(frozen=True, slots=True)
class Place:
    """Where the checkpoints of one case lie: the store, and how a file's bytes are changed below it."""

    store: Store
    damage: Callable[[str, bytes], object]


Damage = Callable[[Place, Tool, random.Random], None]


def _bytes(change: Callable[[bytes, bytes, random.Random], bytes]) -> Damage:
    def apply(place: Place, tool: Tool, rng: random.Random) -> None:
        key = rng.choice(tool.shards(place.store))
        place.damage(key, change(place.store.get(key), place.store.get(tool.older(key)), rng))

    return apply


def _stale(place: Place, tool: Tool, rng: random.Random, count: int = 1) -> None:
    for key in rng.sample(tool.shards(place.store), count):
        place.store.put(key, place.store.get(tool.older(key)))


def _swapped(place: Place, tool: Tool, rng: random.Random) -> None:
    keys = rng.sample(tool.shards(place.store), 2)
    for key, content in zip(keys, [place.store.get(key) for key in reversed(keys)], strict=True):
        place.store.put(key, content)


def _no_marker(place: Place, tool: Tool, _: random.Random) -> None:
    if tool.marker:
        place.store.delete(tool.marker)


def _gone(place: Place, tool: Tool, rng: random.Random) -> None:
    for key in tool.shards(place.store):
        place.store.delete(key)
    _no_marker(place, tool, rng)


CLASSES: dict[str, Damage] = {
    "bit flip": _bytes(lambda new, _, rng: damage.flip_bit(new, rng)),
    "zeroed page": _bytes(lambda new, _, rng: damage.zero_page(new, rng)),
    "torn write": _bytes(damage.tear),
    "truncation": _bytes(lambda new, _, rng: damage.truncate(new, rng)),
    "stale shard": _stale,
    "mixed steps": partial(_stale, count=RANKS - 1),
    "swapped files": _swapped,
    "manifest missing": _no_marker,
    "newest gone": _gone,
}
BYTES = ("bit flip", "zeroed page", "torn write", "truncation")  # the others are done by clients: the same in both kinds of S3


def train(root: Path) -> dict[int, Entries]:
    """Train for real into ``root``, write the same states with the stock tools, and return them by step."""
    root.mkdir()
    run = {"RUN_ID": RUN, "STORES": f"file://{root}", "LEDGER": f"file://{root.parent}/ledger.jsonl", "WIDTH": WIDTH}
    run |= {"STEPS": NEW, "INTERVAL": OLD, "RANKS_PER_POD": RANKS}
    environment = os.environ | {f"TRAIN_{name}": str(value) for name, value in run.items()}
    argv = [sys.executable, "-m", "workloads.training.launch"]
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the training that makes the checkpoints ended with {done.returncode}: {done.stderr[-800:]}")
    store, states = FolderStore(str(root)), {}
    for manifest in [found.manifest for found in survey(store, RUN).checkpoints if found.manifest]:
        parts = [shard.decode(read_shard(store, manifest, part, verify=True), "sealed") for part in manifest.shards]
        write(root, manifest.step, parts)
        states[manifest.step] = {name: tensor for part in parts for name, tensor in part.items()}
    return states


@contextmanager
def volume(source: Path) -> Iterator[Place]:
    """Copy the checkpoints to a folder of their own."""
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        yield Place(FolderStore(folder), lambda key, data: (Path(folder) / key).write_bytes(data))


@contextmanager
def bucket(source: Path, server: S3Server, prefix: str, *, uploaded: bool) -> Iterator[Place]:
    """Copy the checkpoints below a prefix of their own; damage is ``uploaded`` by a client, or done on the server's disk."""
    store = s3_store(server.url(BUCKET, prefix))
    for path in sorted(source.rglob("*")):
        if path.is_file():
            store.put(path.relative_to(source).as_posix(), path.read_bytes())
    yield Place(store, store.put if uploaded else lambda key, data: server.path_of(BUCKET, f"{prefix}/{key}").write_bytes(data))


@dataclass(slots=True)
class Figures:
    """Outcomes by (class, storage, tool), and how long our resume took where something was damaged, in seconds."""

    outcomes: dict[tuple[str, str, str], Counter[str]] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)


def measure(root: Path, seeds: int) -> Figures:
    """Damage and resume: every class, both storages, every tool, ``seeds`` times each."""
    states, figures = train(root / "checkpoints"), Figures()
    with S3Server(root / "s3") as server:
        create(server.url(BUCKET), wait_s=10)
        for name in (*CLASSES, UNDAMAGED):
            for seed in range(seeds):
                for storage in STORAGES if name in BYTES else STORAGES[:2]:
                    with _place(storage, root, server, f"{name}-{seed}-{STORAGES.index(storage)}") as place:
                        _cases(name, storage, place, seed, states, figures)
    return figures


def _place(storage: str, root: Path, server: S3Server, name: str) -> AbstractContextManager[Place]:
    source = root / "checkpoints"
    return volume(source) if storage == VOLUME else bucket(source, server, name.replace(" ", "-"), uploaded=storage == UPLOAD)


def _cases(name: str, storage: str, place: Place, seed: int, states: dict[int, Entries], figures: Figures) -> None:  # noqa: PLR0917
    for tool in (OURS, *STOCK):
        absent = name == "manifest missing" and tool.marker is None
        if name in CLASSES:
            CLASSES[name](place, tool, random.Random(f"{name}/{seed}"))  # noqa: S311  places in files, not secrets
        begun = time.perf_counter()
        outcome = ABSENT if absent else _outcome(tool, place.store, states)
        figures.outcomes.setdefault((name, storage, tool.name), Counter())[outcome] += 1
        if tool is OURS and name in CLASSES:
            figures.times.append(time.perf_counter() - begun)


def _outcome(tool: Tool, store: Store, states: dict[int, Entries]) -> str:
    try:
        entries, complained = tool.resume(store)
    except tool.notices:
        return NOTICED
    newest, older = (all(torch.equal(tensor, states[step][name]) for name, tensor in entries.items()) for step in (NEW, OLD))
    if newest:
        return ALARM if complained else UNHARMED
    return (NOTICED if complained else OLDER) if older else SILENT


def verdict(figures: Figures) -> tuple[str, bool]:
    """Say what ours reached, with the bound below which the true rate is not (95 %, one-sided), and whether that is all."""
    ours = Counter[str]()
    for (name, _, tool), outcomes in figures.outcomes.items():
        if tool == OURS.name:
            ours.update({(f"undamaged: {o}" if name == UNDAMAGED else o): n for o, n in outcomes.items()})
    damaged = sum(n for o, n in ours.items() if not o.startswith("undamaged"))
    reached = ours[NOTICED] == damaged and not ours[f"undamaged: {ALARM}"] and not ours[f"undamaged: {NOTICED}"]
    bound = 0.05 ** (1 / damaged) if ours[NOTICED] == damaged else 0.0
    alarms = sum(n for o, n in ours.items() if o.startswith("undamaged") and o != f"undamaged: {UNHARMED}")
    times = sorted(figures.times)
    return (
        f"ours: noticed {ours[NOTICED]} of {damaged} (at least {bound:.1%} with 95 % confidence; wanted: all); "
        f"silent {ours[SILENT] + ours[OLDER]}; false alarms {alarms} of {ours[f'undamaged: {UNHARMED}'] + alarms}; "
        f"resume past the damage: median {statistics.median(times):.3f} s, longest {times[-1]:.3f} s"
    ), reached


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    parser = pages.parser_of("bench.training.checkpoints", __doc__)
    parser.add_argument("--seeds", type=int, default=20, help="cases of each class, storage and tool (default: %(default)s)")
    options = parser.parse_args(argv)
    os.environ |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), options.seeds)
    sentence, reached = verdict(figures)
    pages.publish(markdown(figures.outcomes, sentence, options.seeds, (SILENT, OLDER, ALARM)), options.write)
    return int(not reached)


if __name__ == "__main__":
    sys.exit(main())
