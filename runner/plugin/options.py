"""The suite's pytest options: all of them start with ``--chaos-``, each can also come from the environment or the ini file."""

from __future__ import annotations

import os
import re
import secrets
import shlex
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.mark.expression import Expression

from history.values import parse_duration
from runner.plugin.minutes import minutes
from runner.plugin.nights import checked_gates
from runner.plugin.risk_gate import ALL, gating
from runner.plugin.sending import DEFAULTS as SENDING
from runner.plugin.sending import add_sending, read_sending
from runner.plugin.waivers import read_waivers
from runner.request import PROFILES, ProfileName, Request
from runner.sending.settings import NOBODY, Sending

if TYPE_CHECKING:
    from nights.waivers import Waivers
    from reports.page.junit import Inconclusive

ENVIRONMENT, MARKER = "AFTERSHOCK_", "chaos"
MOST_MARKERS = 10  # of an expression that are looked at one by one
DEFAULTS = {
    "target": "targets/local.yaml", "trials": "1", "profile": "smoke", "out": "reports/out", "wait": "0s", "nights": "", "keep": "30",
    "waivers": "", "max_minutes": "", "junit_inconclusive": "error", **SENDING,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """How this session runs its experiments."""

    target: Path
    experiments: tuple[Path, ...]
    trials: int
    seed: int
    profile: ProfileName
    dry_run: bool
    out: Path
    wait_s: float
    fail_on: tuple[str, ...]  # names of risks
    root: Path  # from which relative paths count
    seed_policy: str = ""  # how the session came by its seed
    nights: str = ""  # where nights are kept; empty: nowhere
    keep: int = 30  # so many nights are kept whole
    compare: str | None = None  # an earlier night or run; empty: the last night; None: only if nights are kept
    waivers: Waivers | None = None  # known FAILs
    max_s: float | None = None  # how long the night may take
    compare_fail: str = ""  # regressions that fail the session, as they were written
    junit_inconclusive: Inconclusive = "error"  # as what junit.xml counts it
    sending: Sending = NOBODY  # who is told how it ended

    def command(self, name: str = "", trial: int = 1) -> str:
        """Return the command that repeats this session, or one trial of the experiment called ``name``."""
        words = ["pytest", "-m", "chaos", f"--chaos-target={self._shown(self.target)}", f"--chaos-seed={self.seed + trial - 1}"]
        if name:
            words[3:3] = ["-k", name]
        elif self.trials > 1:
            words.append(f"--chaos-trials={self.trials}")
        if not name and self.fail_on:
            words.append(f"--chaos-fail-on-risk={','.join(self.fail_on)}")
        if self.profile != DEFAULTS["profile"]:
            words.append(f"--chaos-profile={self.profile}")
        if self.experiments != (self.root / "experiments",):
            words += [f"--chaos-experiments={self._shown(path)}" for path in self.experiments]
        return shlex.join(words)

    def _shown(self, path: Path) -> str:
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def add_options(parser: pytest.Parser) -> None:
    """Declare the group "chaos"."""
    group = parser.getgroup("chaos", "chaos experiments (pytest -m chaos)")
    group.addoption("--chaos-target", metavar="FILE", help="the platform: a target file (default: targets/local.yaml)")
    group.addoption(
        "--chaos-experiments", metavar="DIR", action="append", help="experiments of your own (repeatable; default: experiments)"
    )
    group.addoption("--chaos-trials", metavar="N", help="runs of each experiment, all shown, none a rerun (default: 1)")
    group.addoption("--chaos-seed", metavar="N", help="fixes every random choice (default: drawn and printed)")
    group.addoption("--chaos-profile", metavar="NAME", help=f"{' or '.join(PROFILES)}: length of baseline and hold (default: smoke)")
    group.addoption(
        "--chaos-dry-run", action="store_true", help="preflight only: print the resolved targets and permissions, touch nothing"
    )
    group.addoption(
        "--chaos-fail-on-risk", metavar="NAMES", nargs="?", const=ALL,
        help="exit code 12 on risks of the platform: all, or those named, parted by commas (see runner risks)",
    )  # fmt: skip
    group.addoption("--chaos-out", metavar="DIR", help="runs and the report go here (default: reports/out)")
    group.addoption("--chaos-junit-inconclusive", metavar="AS", help="error or skipped: as what junit.xml counts it (default: error)")
    group.addoption("--chaos-wait", metavar="TIME", nargs="?", const="30m", help="queue behind a run on the same objects (default: refuse)")
    _add_nights(group)
    add_sending(group)
    for name, default in DEFAULTS.items():
        parser.addini(f"chaos_{name}", f"default of --chaos-{name.replace('_', '-')}", default=default)


def _add_nights(group: pytest.OptionGroup) -> None:
    group.addoption("--chaos-nights", metavar="PLACE", help="keep this night there: a folder or s3://BUCKET/PREFIX (default: nowhere)")
    group.addoption(
        "--chaos-max-minutes", metavar="N", help="run what fits into N minutes: new, changed, failed last, then the oldest pass"
    )
    group.addoption("--chaos-keep", metavar="N", help="keep the last N nights of a target whole, older ones without requests (default: 30)")
    group.addoption(
        "--chaos-compare", metavar="RUN", nargs="?", const="",
        help="say what changed since RUN: a kept night or the folder of a run (default: the last night on this target)",
    )  # fmt: skip
    group.addoption(
        "--chaos-waivers", metavar="FILE", help="known FAILs, each with its owner, ticket, expiry and accepted value (default: none)"
    )
    group.addoption(
        "--chaos-compare-fail", metavar="GATES",
        help="exit code 13 where a measure is worse than in comparable nights by so much, and beyond their spread: rto:20%%",
    )  # fmt: skip


def read_options(config: pytest.Config) -> Options:
    """Return the options of this session; relative paths count from the rootdir.

    Raises:
        pytest.UsageError: a value that is none.

    """
    root = config.rootpath
    folders = config.getoption("--chaos-experiments") or ["experiments"]
    given = _text(config, "profile")
    profile = next((name for name in PROFILES if name == given), None)
    if profile is None:
        raise pytest.UsageError(f"--chaos-profile: {given!r} is not a profile; choose one of {', '.join(PROFILES)}")
    given_seed = _given_seed(config)
    return Options(
        target=root / _text(config, "target"),
        experiments=tuple((root / folder).resolve() for folder in folders),
        trials=_number("trials", _text(config, "trials"), 1),
        seed=secrets.randbelow(10**6) if given_seed is None else given_seed,
        profile=profile,
        dry_run=bool(config.getoption("--chaos-dry-run")),
        out=(root / _text(config, "out")).resolve(),
        wait_s=_wait(_text(config, "wait")),
        fail_on=gating(config.getoption("--chaos-fail-on-risk")),
        root=root.resolve(),
        seed_policy=f"fixed at {given_seed}" if given_seed is not None else "drawn",
        nights=_text(config, "nights"),
        keep=_number("keep", _text(config, "keep"), 1),
        max_s=minutes(_text(config, "max_minutes"), _text(config, "nights")),
        waivers=read_waivers(root / given_waivers if (given_waivers := _text(config, "waivers")) else None),
        compare=config.getoption("--chaos-compare"),
        junit_inconclusive=_inconclusive(_text(config, "junit_inconclusive")),
        sending=read_sending(bool(config.getoption("--chaos-github")), lambda name: _text(config, name)),
        compare_fail=checked_gates(config.getoption("--chaos-compare-fail") or "", _text(config, "nights")),
    )


def selects_chaos(config: pytest.Config) -> bool:
    """Tell whether ``-m`` asks for experiments at all: because of the marker chaos it can hold where it would not without."""
    written = str(config.getoption("markexpr", "") or "")
    names = set(re.findall(r"[^\s()]+", written)) - {"and", "or", "not"}
    if MARKER not in names:
        return False
    try:
        expression = Expression.compile(written)
    except SyntaxError:
        return False  # pytest itself says what is wrong
    others = sorted(names - {MARKER})
    few, rest = others[:MOST_MARKERS], others[MOST_MARKERS:]
    chosen = [{*some, *more} for count in range(len(few) + 1) for some in combinations(few, count) for more in ((), rest)]
    return any(_holds(expression, {MARKER, *some}) and not _holds(expression, some) for some in chosen)


def _holds(expression: Expression, markers: set[str]) -> bool:
    return expression.evaluate(lambda name, /, **_: name in markers)


def request_for(options: Options, run_id: str, experiment: Path, root: Path, trial: int) -> Request:
    """Return what the child is asked for."""
    return Request(
        run_id=run_id,
        run_dir=options.out / "runs" / run_id,
        experiment=experiment,
        experiments_root=root,
        target=options.target,
        seed_policy=options.seed_policy,
        seed=options.seed + trial - 1,  # trials differ in their random choices, and each can be repeated
        profile=options.profile,
        trial=trial,
        trials=options.trials,
        dry_run=options.dry_run,
        wait_s=options.wait_s,
        command=options.command(experiment.stem, trial),
    )


def _text(config: pytest.Config, name: str) -> str:
    given: object = config.getoption(f"--chaos-{name.replace('_', '-')}")
    return str(given if given is not None else os.environ.get(f"{ENVIRONMENT}{name.upper()}") or config.getini(f"chaos_{name}"))


def _number(name: str, text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise pytest.UsageError(f"--chaos-{name}: {text!r} is not a whole number of at least {least}")
    return int(text)


def _given_seed(config: pytest.Config) -> int | None:
    given = config.getoption("--chaos-seed") or os.environ.get(f"{ENVIRONMENT}SEED")
    return _number("seed", str(given), 0) if given else None


def _inconclusive(text: str) -> Inconclusive:
    ways: tuple[Inconclusive, ...] = ("error", "skipped")
    chosen = next((one for one in ways if one == text), None)
    if chosen is None:
        raise pytest.UsageError(f"--chaos-junit-inconclusive: {text!r} is not known; choose one of {', '.join(ways)}")
    return chosen


def _wait(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise pytest.UsageError(f"--chaos-wait: {error}") from error
