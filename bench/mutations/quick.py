"""A shorter clock for mutated runs, and only that: importing this module changes how long the phases of a run in this process take.

The experiments of the table name functions of this package. So the child process that carries a run out imports it in preflight, before
it plans. Everything else is the suite as it stands.
"""

from __future__ import annotations

import os

import runner.drivers.requests.load
import runner.preflight.planning
import runner.run.abort.conditions
from bench.mutations.cases import BROKEN_LOAD
from runner.request import PROFILES, Profile

PROFILES["smoke"] = Profile(baseline_s=5, hold_s=5)
runner.preflight.planning.CONFIRM_S = 6.0
runner.preflight.planning.HEAL_S = 20.0
runner.run.abort.conditions.HANGS_S = 3.0
if os.environ.get(BROKEN_LOAD):
    runner.drivers.requests.load.COMMAND = ("-m", "bench.mutations.loads", "run")
