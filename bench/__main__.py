"""``python -m bench``: every measurement, one process each, so that none disturbs another's memory or loop; long ones as published."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PARTS = tuple(f"bench.{name}" for name in ("verdict", "report", "load", "truth", "checkpoints", "recovery", "published"))


def main() -> int:
    """Run all parts and return the number of those that could not be measured."""
    broken = 0
    for part in PARTS:
        print(f"\n== {part}", flush=True)
        broken += subprocess.run([sys.executable, "-m", part], cwd=Path(__file__).parent.parent, check=False).returncode != 0
    return broken


if __name__ == "__main__":
    sys.exit(main())
