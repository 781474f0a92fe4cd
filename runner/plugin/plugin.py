"""The pytest plugin: ``pytest -m chaos`` runs experiments, plain ``pytest`` never injects. Hooks only."""

from __future__ import annotations

import signal
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from history.errors import AftershockError
from runner.drivers.choice import read_target
from runner.exits import REFUSED
from runner.plugin import recording
from runner.plugin.foretold import foretold
from runner.plugin.items import ExperimentFile, ExperimentItem
from runner.plugin.nights import refuse_wrong as refuse_wrong_nights
from runner.plugin.options import add_options, read_options, selects_chaos
from runner.plugin.progress import Progress
from runner.plugin.risk_gate import risks_met
from runner.plugin.selection import fit_target, is_experiment, leave_out, note_selected, refuse_wrong
from runner.plugin.sending import tell_all
from runner.plugin.session import KEY, Session
from runner.plugin.session_end import exit_status, write_report
from runner.plugin.session_lock import SessionLock
from runner.plugin.short_night import arrange
from runner.plugin.ways import refuse_ways
from runner.unfinished import report_unfinished

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
    refuse_ways(config)
    try:
        session.target = read_target(session.options.target)
    except AftershockError as error:
        session.target_error = str(error)
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(folder) for folder in session.options.experiments]


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
    classes = ", ".join(f"{name} ({one.kind})" for name, one in target.workloads.items()) if target else ""
    return [
        f"chaos: target {where}",
        *([f"chaos: classes {classes}"] if target else []),
        f"chaos: profile {options.profile}, seed {options.seed}, trials {options.trials}{mode}, out {options.out}",
        f"chaos: repeat with: {options.command()}",
    ]


def pytest_collection(session: pytest.Session) -> None:
    """Refuse a wrong target file, a missing folder of experiments, or nights out of reach, before anything is collected."""
    chaos = session.config.stash[KEY]
    if chaos.target_error:
        pytest.exit(chaos.target_error, returncode=REFUSED)
    missing = [folder for folder in chaos.options.experiments if not folder.is_dir()]
    if not selects_chaos(session.config):
        return
    if missing:
        pytest.exit(f"{missing[0]}: no such folder of experiments; name one with --chaos-experiments", returncode=REFUSED)
    if why := refuse_wrong_nights(chaos, looks_only=session.config.option.collectonly or chaos.options.dry_run):
        pytest.exit(why, returncode=REFUSED)
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
        note_selected(config, items)
        refuse_wrong(config, items, fit_target(config, items))
        arrange(config, items)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Where experiments are only collected, note what each would break; ``-q`` asks for names alone."""
    chaos, option = session.config.stash[KEY], session.config.option
    if option.collectonly and option.verbose >= 0 and chaos.target is not None and selects_chaos(session.config):
        chaos.foretold = foretold(session.items, chaos.target)


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
    wrong = session.testsfailed and not session.config.option.continue_on_collection_errors  # then pytest itself ends the session
    runs = bool(experiments_of(session)) and not looks_only and not wrong
    if chaos.target is None or not runs:
        return (yield)
    try:
        session.config.stash[LOCK] = SessionLock.acquire(chaos.target, chaos.options.wait_s, chaos.progress.line)
    except (AftershockError, OSError) as error:  # no place for its file: a folder of others, a full disk
        pytest.exit(str(error), returncode=REFUSED)
    report_unfinished(chaos.options.out, chaos.progress.line)
    recording.begin(chaos, experiments_of(session))
    chaos.began_s = time.monotonic()
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
    """Render the report, set the exit code, then tell others."""
    chaos = session.config.stash[KEY]
    if LOCK in session.config.stash:
        session.config.stash[LOCK].release()
    chaos.stopped = recording.why_stopped(session, exitstatus)
    rendered = write_report(chaos)
    recording.end(chaos)
    session.exitstatus = exit_status(chaos, exitstatus, rendered)
    chaos.told = tell_all(chaos)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say where the report is; of a session that only collects, what would break what (``-q`` lists names alone)."""
    chaos = config.stash[KEY]
    if chaos.foretold:
        terminalreporter.section("what would break what")
        terminalreporter.write_line("\n".join(chaos.foretold))
    if chaos.estimates:
        terminalreporter.section("time, by past nights")
        for line in chaos.estimates:
            terminalreporter.write_line(line)
    if chaos.report is not None:
        terminalreporter.section("chaos")
        terminalreporter.write_line(f"report: {chaos.report}")
        if chaos.time:
            terminalreporter.write_line(f"time: {chaos.time}")
        for risk in risks_met(chaos):
            terminalreporter.write_line(f"risk, by --chaos-fail-on-risk: {risk}")
        said = [chaos.night, *(f"regression, by --chaos-compare-fail: {one}" for one in chaos.regressed)]
        said += [f"not judged, by --chaos-compare-fail: {one}" for one in chaos.unjudged]
        for line in filter(None, (*said, chaos.kept)):
            terminalreporter.write_line(line)
    for line in chaos.told:
        terminalreporter.write_line(line)
