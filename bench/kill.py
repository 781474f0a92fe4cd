"""``python -m bench.kill``: end the suite at random moments, and count what outlives it. Stop and resume at any time.

Each round starts one session on each of eight small platforms of the campaign's own (:mod:`bench.kill_platform`), ends each at a random
moment of a random phase (SIGKILL of the whole process tree, SIGTERM, or SIGINT), waits until every deadline has passed, looks for effects
that are still there, then lets ``heal`` clear the records, twice: the second one must find nothing. The table is
``reports/out/kill/trials.jsonl``, one line a trial; ``--write FILE`` publishes it. The seed of a trial is its number.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from bench.kill_page import page
from bench.kill_platform import CONSENT, FAMILIES, ROOT, SLOTS, SUITE, deployments, experiment, target
from bench.kill_trial import Trial, alive, command, draw, due_ns, times
from bench.soak import commit
from history.errors import AftershockError
from kube.clients import Platform, connect
from kube.journal import list_journals
from kube.target import load_target, parse_duration
from runner.health import complaints, look
from runner.leftovers import find_leftovers
from runner.mend import mend
from runner.reaper_job import runs as reapers

OUT = ROOT / "reports" / "out" / "kill"
TABLE = OUT / "trials.jsonl"
HEALTHY_S, PAUSE_S = 150.0, 1.0
FIRST_S = 100.0  # what the first round may take


def write_files() -> None:
    """Write the campaign's experiments and target files."""
    folder = OUT / "experiments"
    folder.mkdir(parents=True, exist_ok=True)
    for name in FAMILIES:
        (folder / f"{name.replace(' ', '-')}.yaml").write_text(yaml.safe_dump(experiment(name), sort_keys=False))
    for slot in SLOTS:
        (OUT / f"{slot.name}.yaml").write_text(yaml.safe_dump(target(slot), sort_keys=False))


def set_up(platform: Platform) -> None:
    """Make the campaign's namespaces and small platforms, as far as they are not there."""
    for namespace, labels in [(SUITE, {}), *((slot.namespace, CONSENT) for slot in SLOTS)]:
        meta = client.V1ObjectMeta(name=namespace, labels=labels)
        _unless_there(lambda meta=meta: platform.core.create_namespace(client.V1Namespace(metadata=meta)))
    for slot in SLOTS:
        for body in deployments(slot):
            made: Any = body
            _unless_there(lambda made=made, slot=slot: platform.apps.create_namespaced_deployment(slot.namespace, made))


def _unless_there(create: Any) -> None:  # noqa: ANN401 - a call without arguments
    try:
        create()
    except ApiException as error:
        if error.status != 409:
            raise


def remove(platform: Platform) -> None:
    """Remove what :func:`set_up` made, and wait until it is gone: other runs refuse to break nodes on which strangers' pods run."""
    names = {SUITE, *(slot.namespace for slot in SLOTS)}
    for name in sorted(names):
        try:
            platform.core.delete_namespace(name)
        except ApiException as error:
            if error.status not in {404, 409}:
                raise
    until_s = time.monotonic() + HEALTHY_S
    while time.monotonic() < until_s and names & {one.metadata.name for one in platform.core.list_namespace().items if one.metadata}:
        time.sleep(PAUSE_S)


def healthy(platforms: dict[str, Platform]) -> list[str]:
    """Wait until every small platform is well; return what is not."""
    until_s = time.monotonic() + HEALTHY_S
    while wrong := [text for platform in platforms.values() for text in complaints(platform, look(platform))]:
        if time.monotonic() > until_s:
            return wrong
        time.sleep(PAUSE_S)
    return []


def round_of(platforms: dict[str, Platform], number: int, *, kill: bool, version: str) -> list[dict[str, Any]]:
    """Carry out one round and return a row for each trial."""
    trials = [
        draw(Random(number + at), slot, OUT / "runs", number + at, kill=kill, whole=at == 0)  # noqa: S311 - repeatable on purpose
        for at, slot in enumerate(SLOTS)
    ]
    with ThreadPoolExecutor(len(trials)) as pool:
        list(pool.map(lambda one: one[1].go(command(one[1], OUT, number + one[0])), enumerate(trials)))
        found = list(pool.map(lambda trial: _aftermath(trial, platforms[trial.slot.name]), trials))
    left, healed = _heal(next(iter(platforms.values())))
    rows = []
    for at, (trial, result) in enumerate(zip(trials, found, strict=True)):
        about = {"number": number + at, "commit": version, "slot": trial.slot.name, "family": trial.family, "signal": trial.how}
        when = {
            "phase": trial.ended_phase,
            "session": "pytest" if trial.whole else "run",
            "exit": trial.exit_code,
            "struck": bool(trial.asked_ns),
        }
        rows.append(about | when | result | {"refused": trial.refused, "left_after_heal": left, "healed": healed})
    return rows


def _aftermath(trial: Trial, platform: Platform) -> dict[str, Any]:
    """Wait until the trial's deadlines have passed, then look at what it hit."""
    due = due_ns(trial, list_journals(platform)) if trial.how == "SIGKILL" else time.time_ns()
    time.sleep(max(0.0, (due - time.time_ns()) / 1e9))
    seen, since_s = alive(trial, platform), time.monotonic()
    first = list(seen)
    while seen and time.monotonic() - since_s < HEALTHY_S:
        time.sleep(PAUSE_S)
        seen = alive(trial, platform)
    return {"alive": first, "alive_for_s": round(time.monotonic() - since_s, 1) if first else 0.0} | times(trial)


def _heal(platform: Platform) -> tuple[list[str], list[str]]:
    """Let heal clear the records; return what a look finds after that, and what heal did."""
    done = mend(platform).done
    mend(platform)
    found = find_leftovers(platform)
    left = [journal.name for journal in found.journals] + [*found.orphaned_cordons, *found.residues, *found.fault_pods]
    return left + sorted(reapers(platform)), done


def rows_of(table: Path) -> list[dict[str, Any]]:
    """Return the rows so far."""
    return [json.loads(line) for line in table.read_text().splitlines()] if table.exists() else []


def counted(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Return how many trials of each signal were struck after the run began."""
    struck = [row for row in rows if row["struck"] and not row["refused"].startswith(("target", "leftovers", "lease"))]
    kills = sum(row["signal"] == "SIGKILL" for row in struck)
    return {"SIGKILL": kills, "asked": len(struck) - kills}


def campaign(options: argparse.Namespace) -> None:
    """Carry out rounds until the table is full, or until the next one might not end in time; then remove the small platforms."""
    write_files()
    platforms = {slot.name: connect(load_target(OUT / f"{slot.name}.yaml")) for slot in SLOTS}
    until_s, longest_s, version = time.monotonic() + options.for_s, FIRST_S, commit()
    try:
        set_up(platforms["b"])
        while time.monotonic() + longest_s < until_s and (missing := _missing(options, counted(rows_of(TABLE)))):
            began_s = time.monotonic()
            add(platforms, kill=missing == "SIGKILL", version=version)
            longest_s = max(longest_s, time.monotonic() - began_s)
    finally:
        remove(platforms["b"])


def add(platforms: dict[str, Platform], *, kill: bool, version: str) -> None:
    """Carry out one round and add its rows to the table. Raises AftershockError: the small platforms do not get well."""
    if wrong := healthy(platforms):
        raise AftershockError(f"the campaign's platforms are not well: {'; '.join(wrong)}; see kubectl get pods -A")
    number = 1 + max((row["number"] for row in rows_of(TABLE)), default=0)
    rows = round_of(platforms, number, kill=kill, version=version)
    with TABLE.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    for row in rows:
        print(line_of(row), flush=True)


def line_of(row: dict[str, Any]) -> str:
    """Return a trial as a line for a person."""
    after = f"alive {row['alive']}" if row["alive"] else "nothing alive"
    left = f", left {row['left_after_heal']}" if row["left_after_heal"] else ""
    refused = f", refused: {row['refused'][:100]}" if row["refused"] else ""
    return f"{row['number']}: {row['signal']} {row['phase']} {row['family']}: {after}{left}{refused}"


def _missing(options: argparse.Namespace, have: dict[str, int]) -> str:
    """Return which signal is further from its number; empty if both are reached."""
    shares = {"SIGKILL": have["SIGKILL"] / options.kills, "asked": have["asked"] / options.asks}
    least = min(shares, key=lambda name: shares[name])
    return least if shares[least] < 1 else ""


def main() -> int:
    """Run, show, publish; exit 1 if a fault outlived its deadline or something was left after heal."""
    parser = argparse.ArgumentParser(prog="python -m bench.kill", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="trials by SIGKILL (default: %(default)s)")
    parser.add_argument("--asks", type=int, default=50, help="trials by SIGTERM or SIGINT (default: %(default)s)")
    parser.add_argument("--for", dest="for_s", type=parse_duration, default=3600.0, metavar="TIME", help="no longer than this")
    parser.add_argument("--write", type=Path, metavar="FILE", help="publish the table, without further trials")
    options = parser.parse_args()
    if options.write is None:
        campaign(options)
    text = page(rows_of(TABLE))
    if options.write is not None:
        options.write.write_text(text)
    print(text)
    return int(any(row["alive"] or row["left_after_heal"] for row in rows_of(TABLE)))


if __name__ == "__main__":
    sys.exit(main())
