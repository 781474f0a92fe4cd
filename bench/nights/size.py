"""What 30 nights of 40 experiments cost: index and trend as a process of its own, its time and its memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.common.tables import ROOT
from bench.nights.worlds import World
from nights.shelf import INDEX, RECORDS, as_json
from nights.store.folder import FolderStore

NIGHTS, EXPERIMENTS = 30, 40
MOST_S, MOST_MB = 3.0, 500.0
TIMED = """
import resource, sys, time
from reports import trend
begun = time.perf_counter()
trend.main(sys.argv[1:])
print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
"""``python -m reports trend`` from the moment at which its libraries are loaded: these take as long for one night."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took."""

    what: str
    took_s: float
    peak_mb: float

    @property
    def reached(self) -> bool:
        """Tell whether both bounds are."""
        return self.took_s <= MOST_S and self.peak_mb <= MOST_MB


def costs() -> list[Cost]:
    """Return what the trend takes without an index, with one, and with a torn one."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "nights"
        store = FolderStore(place)
        for night in World(1, EXPERIMENTS, trials=1).nights(NIGHTS):
            store.write(f"{RECORDS}/{night.night}.json", as_json(night))
        first = _trend("no index yet", place, Path(folder))
        second = _trend("with its index", place, Path(folder))
        whole = (place / INDEX).read_bytes()
        (place / INDEX).write_bytes(whole[: len(whole) // 2])
        return [first, second, _trend("a torn index", place, Path(folder))]


def _trend(what: str, place: Path, out: Path) -> Cost:
    command = [sys.executable, "-c", TIMED, str(place), "--out", str(out / "trend")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    took_s, peak_kb = map(float, done.stdout.split("\n")[-2].split())
    return Cost(what, took_s, peak_kb / 1024)
