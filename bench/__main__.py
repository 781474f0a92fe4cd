"""``python -m bench``: the short measurements, one process each, so that none disturbs another's memory or loop; long ones as published.

``python -m bench list`` names every bench in one line.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

from bench.common.tables import ROOT

PARTS = (
    "bench.accuracy.verdict",
    "bench.accuracy.report",
    "bench.accuracy.load",
    "bench.accuracy.truth",
    "bench.intervals",
    "bench.training.checkpoints",
    "bench.training.recovery",
    "bench.common.published",
)


def benches() -> Iterator[tuple[str, str]]:
    """Yield every module that can be called, and what it does: its docstring's first line, ``python -m <module>`` and a sentence."""
    for path in sorted((ROOT / "bench").rglob("*.py")):
        line = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n", 1)[0]
        command, _, sentence = line.partition("``: ")
        module = command.removeprefix("``python -m ")
        if module.startswith("bench.") and " " not in module:
            yield module, sentence


def main() -> int:
    """Run all parts and return the number of those that could not be measured; with ``list`` only name all benches."""
    if sys.argv[1:] == ["list"]:
        for module, sentence in benches():
            print(f"python -m {module}\n    {sentence}")
        return 0
    broken = 0
    for part in PARTS:
        print(f"\n== {part}", flush=True)
        broken += subprocess.run([sys.executable, "-m", part], cwd=ROOT, check=False).returncode != 0
    return broken


if __name__ == "__main__":
    sys.exit(main())
