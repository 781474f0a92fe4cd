"""``python -m workloads.load``: write the schedule of a run, or send its load.

Exit codes:

- 0: the load ran to its horizon, or until it was told to stop, and every row is written;
- 1: rows are missing;
- 2: it could not start, and nothing was sent.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from history.errors import AftershockError
from workloads.load.inputs import prepare, refuse_second_load


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m workloads.load", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, says in (
        ("schedule", "write schedule.parquet from plan.json"),
        ("run", "send the load of plan.json; SIGTERM stops and drains it"),
    ):
        command = commands.add_parser(name, help=says)
        command.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="run folder with a plan.json")
    command.add_argument("--worker", type=int, metavar="K", help="be worker K only, and read the common origin from stdin")
    command.add_argument("--each", type=shlex.split, metavar="COMMAND", help="what starts each worker (default: this program itself)")
    command.add_argument(
        "--parent", type=int, metavar="PID", default=os.getppid(), help="end when this is no longer the parent (default: who started it)"
    )
    command.add_argument(
        "--no-drain",
        dest="drains",
        action="store_false",
        help="at its horizon or when stopped, cut off what is under way (one worker only)",
    )
    return parser.parse_args()


def run(options: argparse.Namespace) -> int:
    """Send the load from this process, or start one process a worker."""
    refuse_second_load(options.run_dir, options.worker)
    inputs = prepare(options.run_dir)
    if options.worker is None and (inputs.plan.requests.load.workers > 1 or options.each):
        from workloads.load.workers import Workers  # noqa: PLC0415 - either this module or locust, never both

        workers = Workers(options.run_dir, inputs.plan.requests.load.workers, options.each)
        workers.start()
        return workers.wait(options.parent)
    from workloads.load.worker import run_worker  # noqa: PLC0415 - importing locust patches the process

    return run_worker(inputs, options.worker, options.parent, drains=options.drains)


def main() -> int:
    """Carry out one command."""
    options = arguments()
    try:
        if options.command == "run":
            return run(options)
        prepare(options.run_dir)
    except AftershockError as error:
        print(f"load: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
