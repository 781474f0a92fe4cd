"""What the parent asks of a child process: one run of one experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from history.values import FrozenModel

ProfileName = Literal["smoke", "full", "brief"]


class Profile(FrozenModel):
    """How patient a run is: the shortest baseline and the hold after recovery (s).

    ``to_the_end``: a fault that lasts is watched to its end and a hold beyond, however early all is well. Otherwise the verdict says how
    much of it was watched.
    """

    baseline_s: float
    hold_s: float
    to_the_end: bool = False


PROFILES: dict[ProfileName, Profile] = {
    "smoke": Profile(baseline_s=15, hold_s=10),
    "full": Profile(baseline_s=60, hold_s=30, to_the_end=True),
    "brief": Profile(baseline_s=3, hold_s=2),  # for campaigns that test the suite itself: what it concludes of users is worth little
}


class Request(FrozenModel):
    """One run, as the parent describes it on the child's command line (JSON)."""

    run_id: str
    run_dir: Path
    experiment: Path
    experiments_root: Path
    target: Path
    seed: int
    seed_policy: str = ""  # how the session came by its seed, in words
    profile: ProfileName
    trial: int = 1
    trials: int = 1
    dry_run: bool = False
    wait_s: float = 0.0  # how long to queue for leases that another run holds
    command: str = ""  # repeats this run
