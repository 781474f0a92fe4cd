"""``python -m runner doctor``: preflight of everything that the chosen experiments need, all findings at once instead of the first.

It asks what a run asks (:mod:`runner.run.asked`), each thing once however many experiments need it, and changes nothing: its client sends
no request that would. With ``--probe-nodes`` a fault pod that does nothing is started on every node that a fault pod may be sent to.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from kube.client import connect
from kube.connection.remembering_client import RememberingClient
from runner.commands.doctor.chosen import Chosen, choose
from runner.commands.doctor.node_probes import probed
from runner.commands.doctor.report import Report, examined
from runner.commands.doctor.show import show
from runner.drivers.choice import read_target
from runner.findings import Kind
from runner.request import Request


def run(target_file: Path, paths: Sequence[Path], shipped: Path, *, probe: bool) -> int:
    """Examine the experiments of ``paths`` (none: all of ``shipped``), print what was found, and return the exit code.

    0: every chosen experiment can run, or is skipped for a reason that the target file gives. 1: something is refused.

    Raises:
        ConfigError, TargetRefused: the target file is wrong, or nobody can connect.

    """
    target = read_target(target_file)
    chosen = choose(paths, shipped, target)
    request = _request(target_file)
    console = Console(stderr=True)
    with console.status("asking the cluster …") if console.is_terminal else nullcontext():
        grant = _grant(target_file, chosen, by_name=bool(paths))
        made = examined(connect(target, by=RememberingClient), chosen, request, grant)
        found = [*made.findings, *(probed(connect(target), made.outcomes, request.run_id) if probe else ())]
    show(found, end(made, target_file))
    return int(any(finding.kind is Kind.REFUSED for finding in found))


def end(made: Report, target_file: Path) -> list[str]:
    """Return the last lines: how many experiments can run, and what to do next."""
    refused = len(made.chosen.names) - len(made.can_run) - len(made.chosen.skipped)
    counted = f"{len(made.can_run)} can run, {len(made.chosen.skipped)} are left out, {refused} are refused"
    said = [f"of {len(made.chosen.names)} experiments {counted}; nothing was injected"]
    if made.can_run:
        first = min(made.can_run, key=lambda name: (not name.startswith("control/"), name)).rpartition("/")[2]
        said.append(f"next: pytest -m chaos -k {first} --chaos-target={target_file} --chaos-dry-run")
    return said


def _grant(target_file: Path, chosen: Chosen, *, by_name: bool) -> str:
    """Return the command that grants what the chosen experiments need; those that are shipped need not be named."""
    named = "".join(f" {_short(one.located.path)}" for one in chosen.fit) if by_name else ""
    return f"python -m runner rbac --target {target_file}{named} | kubectl apply -f -"


def _short(file: Path) -> Path:
    """Return a path as it is written from here, if it lies below."""
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file


def _request(target_file: Path) -> Request:
    """Return the request of a dry run that is never begun."""
    run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-doctor-1-{secrets.token_hex(2)}"
    folder = target_file.parent
    return Request(
        run_id=run_id, run_dir=folder, experiment=folder, experiments_root=folder, target=target_file, seed=secrets.randbelow(2**31),
        profile="smoke", dry_run=True,
    )  # fmt: skip
