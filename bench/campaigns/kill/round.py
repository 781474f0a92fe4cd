"""One round of the kill campaign and of its kin: a session on each small platform, struck, and what is found when its time is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from bench.campaigns.kill.effects import still_in_force
from bench.campaigns.kill.slots import HEALTHY_S, PAUSE_S, Platforms, clear, demand_healthy
from bench.campaigns.kill.trial import Trial, due_ns, run_dir_of, times
from bench.common.tables import Row, add_rows, rows_of
from kube.client import Platform
from safety.undo_journal import list_journals

Facts = Callable[[Trial, Platform], Row]


def _none(_trial: Trial, _platform: Platform) -> Row:
    return {}


def next_number(table: Path) -> int:
    """Return the number of the next round's first trial."""
    return 1 + max((row["number"] for row in rows_of(table)), default=0)


def add(table: Path, platforms: Platforms, trials: list[Trial], about: Row, facts: Facts = _none) -> None:
    """Carry out a round, add its rows to ``table`` and print them; ``facts``: what else its row says of a trial that is over.

    Raises AftershockError: the small platforms do not get well.
    """
    demand_healthy(platforms)
    began_s = time.monotonic()
    with ThreadPoolExecutor(len(trials)) as pool:
        rows = list(pool.map(partial(_row_of, platforms, facts), trials))
    left, healed = clear(platforms)
    rows = [about | row | {"left_after_heal": left, "healed": healed} for row in rows]
    add_rows(table, rows)
    for row in rows:
        print(line_of(row), flush=True)
    print(f"round of {time.monotonic() - began_s:.0f} s", flush=True)


def _row_of(platforms: Platforms, facts: Facts, trial: Trial) -> Row:
    platform = platforms[trial.slot.name]
    trial.go()
    more = facts(trial, platform) | _aftermath(trial, platform)
    return {
        "number": trial.number,
        "slot": trial.slot.name,
        "family": trial.family,
        "signal": trial.how,
        "phase": trial.ended_phase,
        "in_force": trial.in_force,
        "session": "pytest" if trial.whole else "run",
        "exit": trial.exit_code,
        "struck": bool(trial.asked_ns),
        "refused": trial.refused,
    } | more


def _aftermath(trial: Trial, platform: Platform) -> Row:
    """Wait until the trial's deadlines have passed, then look at what it hit."""
    due = due_ns(trial, list_journals(platform))
    time.sleep(max(0.0, (due - time.time_ns()) / 1e9))
    seen, since_s = _alive(trial, platform), time.monotonic()
    first = list(seen)
    while seen and time.monotonic() - since_s < HEALTHY_S:
        time.sleep(PAUSE_S)
        seen = _alive(trial, platform)
    return {"alive": first, "alive_for_s": round(time.monotonic() - since_s, 1) if first else 0.0} | times(trial)


def _alive(trial: Trial, platform: Platform) -> list[str]:
    return still_in_force(run_dir_of(trial), trial.family, platform)


def line_of(row: Row) -> str:
    """Return a trial as a line for a person."""
    after = f"alive {row['alive']}" if row["alive"] else "nothing alive"
    left = f", left {row['left_after_heal']}" if row["left_after_heal"] else ""
    refused = f", refused: {row['refused'][:100]}" if row["refused"] else ""
    return f"{row['number']}: {row['signal']} {row['phase']} {row['family']}: {after}{left}{refused}"
