"""``python -m bench.campaigns.out_of_reach``: the suite loses its API server for 30 s, or its machine for good. Resumable.

On the small platforms of the kill campaign (:mod:`bench.campaigns.kill.platform`), eight sessions a round.
*Cut*: the session's only way to the API server is a proxy. From a random moment of inject, observe or heal it breaks every connection and
takes none for 30 s; the session goes on. *Lost*: the session runs in a network namespace of its own. At a random moment of a random phase
its network is gone, all its processes are killed, the namespace is removed; what the cluster holds must heal.
The table is ``reports/out/out-of-reach/trials.jsonl``; ``--write FILE`` publishes it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from random import Random
from typing import Any
from urllib.parse import urlsplit

import yaml

from bench.campaigns.kill.command_line import conclude, parser_of
from bench.campaigns.kill.platform import SLOTS, Slot, chosen
from bench.campaigns.kill.round import add, next_number
from bench.campaigns.kill.slots import Platforms, small_platforms, write_files
from bench.campaigns.kill.trial import Trial, draw, run_dir_of, run_id_of
from bench.campaigns.out_of_reach.machines import machines
from bench.campaigns.out_of_reach.page import CUT, LOST, counts, missed, page
from bench.common.tables import ROOT, Row, commit, rows_of
from history.reader import read_table
from history.result import RunVerdict
from history.schema import EventKind
from kube.client import Platform, ready
from safety.undo_journal import list_journals
from testing.platform.targets import changed, region_of
from testing.platform.tcp_proxy import Proxy, proxy_to, through

OUT = ROOT / "reports" / "out" / "out-of-reach"
TABLE = OUT / "trials.jsonl"
CUT_S, ZONE = 30.0, "topology.kubernetes.io/zone"
PHASES = ("inject", "observe", "heal")  # in which the API server goes away, in turn
ACTIVE = ("baseline", "inject", "confirm", "observe", "observe", "observe", "scene")
"""In which phases machines are lost: mostly with a fault in force."""
Host = dict[str, Any]


def cut(proxy: Proxy, _process: subprocess.Popen[str]) -> None:
    """Be out of reach for 30 s."""
    with proxy.cut():
        time.sleep(CUT_S)


def cut_round(number: int, slots: Sequence[Slot], host: Host, stack: ExitStack) -> list[Trial]:
    """Draw a trial for each small platform, each behind a proxy of its own; the phases take turns."""
    trials = []
    for at, slot in enumerate(slots, number):
        folder, proxy = OUT / "cut" / slot.name, proxy_to(host)
        stack.callback(proxy.close)
        folder.mkdir(parents=True, exist_ok=True)
        write_files(folder, changed(host, **through(proxy, host, folder)))
        trial = draw(Random(at), slot, folder, at, (PHASES[(at + at // len(slots)) % len(PHASES)],))  # noqa: S311 - repeatable on purpose
        trial.how, trial.ending, trial.heals = CUT, partial(cut, proxy), True
        trials.append(trial)
    return trials


def lost_round(number: int, slots: Sequence[Slot], host: Host, stack: ExitStack) -> list[Trial]:
    """Draw a trial for each small platform, each on a machine of its own."""
    made = stack.enter_context(machines(str(urlsplit(region_of(host)["server"]).hostname), len(slots)))
    write_files(OUT / "lost", host)
    trials = []
    for at, (slot, machine) in enumerate(zip(slots, made, strict=True), number):
        trial = draw(Random(at), slot, OUT / "lost", at, ACTIVE)  # noqa: S311 - repeatable on purpose
        trial.how, trial.ending, trial.within = LOST, machine.lose, machine.within
        trials.append(trial)
    return trials


def from_a_node(host: Host, platform: Platform) -> Host:
    """Return ``host`` with the inference endpoint as the nodes' network has it: a lost machine does not see this host's load balancer.

    It is the gateway's port on a node that runs a gateway and that no fault of the campaign is aimed at.
    """
    role = host["roles"]["gateway"]
    service: Any = platform.core.read_namespaced_service(role["service"], role["namespace"])
    gateways = platform.pods_in(role["namespace"], role["selector"])
    running = {pod.spec.node_name for pod in gateways if ready(pod)}
    node = next(
        node for node in platform.nodes() if node.metadata.name in running and (node.metadata.labels or {}).get(ZONE) == SLOTS[0].zone
    )
    address = next(known.address for known in node.status.addresses or [] if known.type == "InternalIP")
    endpoint = {"inference": f"http://{address}:{service.spec.ports[0].node_port}"}
    return changed(host, endpoints=region_of(host)["endpoints"] | endpoint)


def facts(trial: Trial, platform: Platform) -> Row:
    """Return what a session says of itself once it is over: its verdict, whether each had its proof, what it left open, tracebacks."""
    folder = run_dir_of(trial)
    logs = [trial.run_dir.with_suffix(".log"), *([folder / "child.log", folder / "scene" / "traceback.txt"] if folder else [])]
    text = "".join(path.read_text(errors="replace") for path in logs if path.exists())
    about = {"lasted_s": round((time.time_ns() - trial.asked_ns) / 1e9, 1), "traceback": "Traceback" in text}
    judged = folder / "verdict.json" if folder else None
    if folder is None or judged is None or not judged.exists() or trial.how != CUT:
        return about
    verdict, run_id = RunVerdict.model_validate_json(judged.read_text()), run_id_of(trial)
    kinds = read_table(folder, "events")["kind"]
    left = [entry.object for journal in list_journals(platform) if journal.header.run_id == run_id for entry in journal.remaining]
    proven = EventKind.FAULT_CONFIRMED.value in kinds  # the campaign's experiments have one evidence probe each
    return about | {"verdict": verdict.verdict.value, "sentence": verdict.sentence, "proven": proven, "open": left}


def campaign(options: argparse.Namespace) -> None:
    """Carry out rounds until the table is full or time is up."""
    until_s, version = time.monotonic() + options.for_s, commit()
    host = yaml.safe_load(options.target.read_text())
    with small_platforms(OUT, host, chosen(options.at_once)) as platforms:
        while time.monotonic() < until_s and (how := _missing(options, rows_of(TABLE))):
            play_round(how, host, platforms, version)


def play_round(how: str, host: Host, platforms: Platforms, version: str) -> None:
    """Play one round."""
    slots = [slot for slot in SLOTS if slot.name in platforms]
    number = next_number(TABLE)
    with ExitStack() as stack:
        trials = (
            cut_round(number, slots, host, stack)
            if how == CUT
            else lost_round(number, slots, from_a_node(host, next(iter(platforms.values()))), stack)
        )
        add(TABLE, platforms, trials, {"commit": version, "cluster": region_of(host)["context"]}, facts)


def _missing(options: argparse.Namespace, rows: list[Row]) -> str:
    have = {how: sum(counts(row) for row in rows if row["signal"] == how) for how in (CUT, LOST)}
    wanted = {CUT: options.cuts, LOST: options.losses}
    return next((how for how in sorted(have, key=lambda how: have[how] / max(1, wanted[how])) if have[how] < wanted[how]), "")


def main() -> int:
    """Run, show, publish; exit 1 if a bound was missed."""
    parser = parser_of("bench.campaigns.out_of_reach", __doc__)
    parser.add_argument("--cuts", type=int, default=24, help="trials with the API server away (default: %(default)s)")
    parser.add_argument("--losses", type=int, default=10, help="trials with the machine lost (default: %(default)s)")
    return conclude(parser.parse_args(), TABLE, campaign, page, missed)


if __name__ == "__main__":
    sys.exit(main())
