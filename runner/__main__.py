"""``python -m runner COMMAND``: what stands beside ``pytest -m chaos``, from ``discover`` and ``doctor`` to ``nightly`` and ``heal``.

Exit codes: 0 done · 1 something remains, a risk was found, a claim is void, or a null run was not PASS · 2 wrong usage · 11 refused.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from history.errors import AftershockError
from history.result import Verdict
from history.values import parse_duration
from kube.client import connect
from runner.cleanup import cleanup
from runner.commands import admission_policy, calibrate, catalogue_pages, claims, discover, nightly, rbac, risks
from runner.commands.doctor import doctor
from runner.commands.doctor.chosen import to_grant
from runner.drivers.choice import read_target
from runner.exits import REFUSED
from runner.redact import of_environment, of_target
from target.secrets.hiding import redact_text
from target.secrets.known import remember

ROOT = Path(__file__).parent.parent
LOCAL = ROOT / "targets" / "local.yaml"
ASYNC = ROOT / "targets" / "async.yaml"  # has what the experiments of asynchronous inference need
EXPERIMENTS = ROOT / "experiments"
NULL = EXPERIMENTS / "control" / "null-control.yaml"


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    made = argparse.ArgumentParser(
        prog="python -m runner", description="Heal, look, grant and calibrate; experiments run by pytest -m chaos."
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add = {
        name: commands.add_parser(name, help=text, description=text)
        for name, text in (
            ("heal", "end everything that earlier runs left, and say what was done"),
            ("status", "show active faults, leases and journals"),
            ("doctor", "preflight of all experiments: what works, what is left out, refused or to decide; changes nothing"),
            ("risks", "single points of failure and gaps that the live platform shows, without any fault; changes nothing"),
            ("rbac", "print the least rights with which experiments run, as YAML"),
            ("policy", "print the admission policy that holds the suite's accounts to the suite's own shapes, as YAML"),
            ("catalogue", "write the generated pages anew: faults, budgets and permissions in docs/, the tables of experiments/README.md"),
            ("calibrate", "null runs: false outages, the smallest RTO that can be told, the rate that a budget needs"),
        )
    }
    for command in add.values():
        command.add_argument("--target", type=Path, default=LOCAL, metavar="FILE", help="target file (default: %(default)s)")
    for name in ("rbac", "doctor"):
        what = "files or folders; default: all that are shipped"
        add[name].add_argument("experiments", nargs="*", type=Path, metavar="EXPERIMENT", help=what)
    add["risks"].add_argument("--experiments", type=Path, action="append", default=[], metavar="DIR", help="experiments of your own")
    add["risks"].add_argument("--json", action="store_true", help="print them as JSON")
    add["doctor"].add_argument("--probe-nodes", action="store_true", help="start a fault pod that does nothing on every node to be hit")
    _arguments_of_calibrate(add["calibrate"])
    claims.add_to(commands.add_parser("claims", help=claims.TEXT, description=claims.TEXT))
    nightly.add_to(commands.add_parser("nightly", help=nightly.TEXT, description=nightly.TEXT))
    discover.add_to(commands.add_parser("discover", help=discover.TEXT, description=discover.TEXT))
    return made


def _arguments_of_calibrate(command: argparse.ArgumentParser) -> None:
    """Add the arguments of ``calibrate``."""
    command.add_argument("--runs", type=int, default=5, help="null runs (default: %(default)s)")
    command.add_argument("--budget", type=parse_duration, metavar="TIME", help="an RTO budget such as 30s (default: the plan's)")
    command.add_argument("--experiment", type=Path, default=NULL, metavar="FILE", help="the null control (default: %(default)s)")
    command.add_argument("--profile", choices=("smoke", "full"), default="smoke", help="length of baseline and hold")
    command.add_argument("--stored", type=Path, metavar="DIR", help="judge by the null runs below DIR instead of new ones")
    command.add_argument("--write", type=Path, metavar="FILE", help="publish what they say, and each run, as Markdown there")
    command.add_argument("--out", type=Path, default=ROOT / "reports" / "out" / "calibrate", metavar="DIR", help="runs go here")


def execute_command(options: argparse.Namespace) -> int:
    """Carry out one command and return its exit code. Raises AftershockError: refused."""
    target = read_target(options.target)
    remember([*of_environment(os.environ), *of_target(target, os.environ)])
    if options.command == "heal":
        cleaned = cleanup.clean_up(connect(target))
        print("\n".join(cleaned.lines()))
        return int(bool(cleaned.failed))
    if options.command == "status":
        print("\n".join(cleanup.status(connect(target))))
        return 0
    if options.command == "catalogue":
        for page, text in catalogue_pages.pages(ROOT, target, [read_target(ASYNC)]).items():
            page.write_text(text, encoding="utf-8")
            print(f"written: {page.relative_to(ROOT)}")
        return 0
    if options.command == "policy":
        print(rbac.text(admission_policy.manifests(target)), end="")
        return 0
    if options.command == "rbac":
        experiments = to_grant(options.experiments, EXPERIMENTS, target, lambda text: print(text, file=sys.stderr))
        print(rbac.text(rbac.manifests(rbac.least_permissions(experiments, target), target.suite.namespace)), end="")
        return 0
    return {"doctor": _doctor, "risks": _risks, "calibrate": _calibrate}[options.command](options)


def _doctor(options: argparse.Namespace) -> int:
    return doctor.run(options.target, options.experiments, EXPERIMENTS, probe=options.probe_nodes)


def _risks(options: argparse.Namespace) -> int:
    return risks.run(options.target, [EXPERIMENTS, *options.experiments], as_json=options.json)


def _calibrate(options: argparse.Namespace) -> int:
    runs = calibrate.stored(options.stored, print) if options.stored else _null_runs(options)
    wanted = len(runs) if options.stored else options.runs
    print("\n".join(calibrate.findings(runs, options.budget)))
    if options.write:
        target = "" if options.target == LOCAL else f"--target {options.target} "
        which = f"--stored {options.stored}" if options.stored else f"--runs {options.runs}"
        command = f"python -m runner calibrate {target}{which} --write {options.write}"
        options.write.write_text(calibrate.page(runs, wanted, options.budget, command))
    return int(len(runs) < wanted or any(run.verdict.verdict is not Verdict.PASS for run in runs))


def _null_runs(options: argparse.Namespace) -> list[calibrate.NullRun]:
    path = options.experiment.resolve()
    template = calibrate.template(path, path.parent.parent, options.target.resolve(), options.out.resolve(), options.profile)
    return calibrate.run_null_runs(template, options.runs, lambda line: print(line, flush=True))


def main() -> int:
    """Parse, carry out, and say what refuses."""
    try:
        options = parser().parse_args()
        alone = {"discover": discover.discover, "claims": claims.claims, "nightly": nightly.main}
        return alone[options.command](options) if options.command in alone else execute_command(options)
    except AftershockError as error:
        print(redact_text(str(error)), file=sys.stderr)
        return REFUSED


if __name__ == "__main__":
    sys.exit(main())
