"""The pytest plugin: ``pytest -m chaos`` runs experiments, plain ``pytest`` never injects. Hooks only."""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from history.errors import AftershockError
from runner.drivers.choice import read_target
from runner.exits import REFUSED
from runner.plugin.items import KEY, NO_RERUNS, ExperimentFile, ExperimentItem, Session
from runner.plugin.options import add_options, read_options, selects_chaos
from runner.plugin.progress import Progress
from runner.plugin.risk_gate import risks_met
from runner.plugin.selection import fit_target, is_experiment, leave_out, refuse_wrong
from runner.plugin.session_end import exit_status, write_report
from runner.plugin.session_lock import SessionLock

LOCK: pytest.StashKey[SessionLock] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare ``--chaos-*``."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Read the options; where ``-m`` asks for experiments and no path is given, collect the experiments and nothing else."""
    config.addinivalue_line("markers", "chaos: an experiment; it breaks things on the target platform")
    session = Session(read_options(config), Progress(config))
    config.stash[KEY] = session
    if not selects_chaos(config):
        return
    _refuse_xdist(config)
    _refuse_reruns(config)
    if sys.flags.optimize > 1:
        raise pytest.UsageError("PYTHONOPTIMIZE=2 (python -OO) takes away the texts from which the report's definitions come: unset it")
    try:
        session.target = read_target(session.options.target)
    except AftershockError as error:
        session.target_error = str(error)
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(folder) for folder in session.options.experiments]


def _refuse_xdist(config: pytest.Config) -> None:
    workers: Any = config.getoption("numprocesses", None) or getattr(config, "workerinput", None)
    if workers:
        raise pytest.UsageError("experiments run one after another, since faults must not overlap: run without -n (pytest-xdist)")


def _refuse_reruns(config: pytest.Config) -> None:
    """Refuse what pytest-rerunfailures would do, by option or ini file; other plugins' reruns are met when they come."""
    asked: Any = config.getoption("reruns", None)
    with suppress(ValueError):  # no such key: the plugin is not installed
        asked = asked or config.getini("reruns")
    if asked:
        raise pytest.UsageError(f"--reruns {asked}: {NO_RERUNS}")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which platform, how, and how to repeat it."""
    session = config.stash[KEY]
    if not selects_chaos(config):
        return []
    options, target = session.options, session.target
    regions = target.regions.values() if target else ()
    places = "; ".join(f"context {region.context}, {region.server}" for region in regions)
    where = f"{target.name} ({places})" if target else f"none: {session.target_error}"
    mode = ", dry run" if options.dry_run else ""
    return [
        f"chaos: target {where}",
        f"chaos: profile {options.profile}, seed {options.seed}, trials {options.trials}{mode}, out {options.out}",
        f"chaos: repeat with: {options.command()}",
    ]


def pytest_collection(session: pytest.Session) -> None:
    """Refuse a wrong target file, or a missing folder of experiments, before anything is collected."""
    chaos = session.config.stash[KEY]
    if chaos.target_error:
        pytest.exit(chaos.target_error, returncode=REFUSED)
    missing = [folder for folder in chaos.options.experiments if not folder.is_dir()]
    if not selects_chaos(session.config):
        return
    if missing:
        pytest.exit(f"{missing[0]}: no such folder of experiments; name one with --chaos-experiments", returncode=REFUSED)
    if empty := [folder for folder in chaos.options.experiments if not any(is_experiment(file) for file in folder.rglob("*"))]:
        pytest.exit(f"{empty[0]}: no experiment in it; an experiment is a file that ends in .yaml or .yml", returncode=REFUSED)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ExperimentFile | None:
    """Collect every YAML file under an experiments folder, and what is an experiment but for its name."""
    if not selects_chaos(parent.config) or not is_experiment(file_path):
        return None
    for folder in parent.config.stash[KEY].options.experiments:
        if file_path.resolve().is_relative_to(folder):
            found: ExperimentFile = ExperimentFile.from_parent(parent, path=file_path.resolve())
            found.root = folder
            return found
    return None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long where nobody asked for it, and compare with the target what is selected then, and nothing else."""
    if selects_chaos(config):
        leave_out(config, items)
        refuse_wrong(config, items, fit_target(config, items))


def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Note what is skipped because of the target: the report says so."""
    if isinstance(item, ExperimentItem) and item.absent:
        entry = (item.experiment.id, item.experiment.document.title, item.absent)
        item.chaos.absent += [entry] if entry not in item.chaos.absent else []  # one of several trials


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Take this host's lock on the target: two sessions at once would break each other's measurements."""
    chaos = session.config.stash[KEY]
    looks_only = session.config.option.collectonly or chaos.options.dry_run
    runs = bool(experiments_of(session)) and not looks_only
    if chaos.target is None or not runs:
        return (yield)
    try:
        session.config.stash[LOCK] = SessionLock.acquire(chaos.target, chaos.options.wait_s, chaos.progress.line)
    except (AftershockError, OSError) as error:  # no place for its file: a folder of others, a full disk
        pytest.exit(str(error), returncode=REFUSED)
    with ending_between_runs(session):
        return (yield)


def experiments_of(session: pytest.Session) -> list[ExperimentItem]:
    """Return the experiments that were selected."""
    return [item for item in getattr(session, "items", []) if isinstance(item, ExperimentItem)]


@contextmanager
def ending_between_runs(session: pytest.Session) -> Iterator[None]:
    """Let SIGTERM and SIGHUP between two runs end the session in order (while one goes on, its item owns the signals)."""

    def stop(number: int, _frame: FrameType | None) -> None:
        session.shouldstop = f"stopped by {signal.Signals(number).name} between two experiments"

    heard = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Render the report and set the exit code."""
    chaos = session.config.stash[KEY]
    if LOCK in session.config.stash:
        session.config.stash[LOCK].release()
    rendered = write_report(chaos)
    session.exitstatus = exit_status(chaos, exitstatus, rendered)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say where the report is."""
    chaos = config.stash[KEY]
    if chaos.report is not None:
        terminalreporter.section("chaos")
        terminalreporter.write_line(f"report: {chaos.report}")
        for risk in risks_met(chaos):
            terminalreporter.write_line(f"risk, by --chaos-fail-on-risk: {risk}")
