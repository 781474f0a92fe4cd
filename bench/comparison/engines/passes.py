"""One pass: a session of the set of experiments against one target, with its wall clock and the most memory that the machine had in use."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from bench.common.tables import ROOT, Row

SET = "null-control or sham-control or replica-killed or engine-killed or engine-frozen or node-drained or gpu-node-lost"
"""As `make chaos STACKS=vllm` chooses (a test compares)."""
WRITTEN = "answers: prefix"


class Memory(threading.Thread):
    """Looks once a second how much memory is in use."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._halt = threading.Event()
        self.most = 0

    def run(self) -> None:
        """Look until stopped."""
        while not self._halt.wait(1.0):
            seen = psutil.virtual_memory()
            self.most = max(self.most, seen.total - seen.available)

    def stop(self) -> float:
        """Stop, and return the most that was in use (GB)."""
        self._halt.set()
        self.join()
        return self.most / 1e9


def run_pass(target: Path, out: Path, answers: str) -> Row:
    """Run the set once and return its row; ``answers``: what stands in the place of the target's own rule, if not empty."""
    out.mkdir(parents=True)
    used = with_answers(target, answers, out) if answers else target
    memory, began_s = Memory(), time.monotonic()
    memory.start()
    options = [f"--chaos-target={used}", f"--chaos-out={out}", "-k", SET]
    done = subprocess.run([sys.executable, "-m", "pytest", "-m", "chaos", *options], cwd=ROOT, check=False)
    row = {"target": target.stem, "answers": answers, "out": str(out), "exit": done.returncode}
    return row | {"wall_s": round(time.monotonic() - began_s), "memory_gb": round(memory.stop(), 1)}


def with_answers(target: Path, answers: str, out: Path) -> Path:
    """Write ``target`` with another rule for answers into ``out`` and return it. Raises ValueError: it has no rule to replace."""
    text = target.read_text()
    if WRITTEN not in text:
        raise ValueError(f"{target} has no line `{WRITTEN}`, so its answers cannot be {answers}; leave --answers out")
    copy = out / "target.yaml"
    copy.write_text(text.replace(WRITTEN, f"answers: {answers}", 1))
    return copy
