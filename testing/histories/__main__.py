"""``python -m testing.histories FOLDER``: nine sample runs, closed and judged, as `python -m reports` reads them."""

from __future__ import annotations

import sys
from pathlib import Path

from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import NINE

if __name__ == "__main__":
    for scenario in NINE:
        print(write_run(Path(sys.argv[1]), scenario))
