"""Experiments as pytest items: one file is one item a trial, its folders are markers."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

from history.errors import ConfigError
from history.layout import NO_CAUSE
from history.plan import Expect
from history.result import RunVerdict, Verdict
from runner.experiment.experiment import Experiment, read_experiment
from runner.messages import Kind
from runner.plugin.options import Options, request_for
from runner.plugin.progress import Progress
from runner.request import Request
from runner.run.parent import Child
from target.secrets.hiding import excerpt
from target.target import Target


class Sentence(pytest.fail.Exception):  # type: ignore[name-defined,misc]  # an attribute that pytest's types hide
    """What pytest shows as it stands, without a traceback."""

    __module__ = "builtins"  # so that pytest's summary says "Refused: ..." and not where the class stands

    def __init__(self, text: str) -> None:
        super().__init__(text, pytrace=False)


class Refused(Sentence):
    """The run was refused before any fault; the text says why."""

    __module__ = "builtins"


class NotAsExpected(Sentence):
    """The verdict is not the one that the experiment expects; the text is the verdict's."""

    __module__ = "builtins"


class Broken(Sentence):
    """The child process ended without a verdict; the text says where its log is."""

    __module__ = "builtins"


@dataclass(slots=True)
class Session:
    """What this pytest session knows of its experiments."""

    options: Options
    progress: Progress
    target: Target | None = None
    target_error: str = ""
    malformed: int = 0
    run_dirs: list[Path] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)  # passed, failed, inconclusive, refused, broken
    refused: list[tuple[str, str, str]] = field(default_factory=list)  # experiment, its title, why
    absent: list[tuple[str, str, str]] = field(default_factory=list)  # likewise: the target has nothing of what it needs
    risks: dict[str, list[str]] = field(default_factory=dict)  # weaknesses that refusals showed, as sentences -> experiments
    report: Path | None = None


NO_RERUNS = "a run is never repeated in place of another: leave pytest's reruns out, and ask for --chaos-trials=N, all of which are shown"
LONGEST = 300  # characters of a line that is quoted
KEY: pytest.StashKey[Session] = pytest.StashKey()


class ExperimentFile(pytest.File):
    """One file of an experiments folder."""

    root: Path

    def collect(self) -> Iterator[pytest.Item]:
        """Yield one item a trial, or one that stands for a wrong file: whether it matters is known when experiments are selected."""
        trials = self.config.stash[KEY].options.trials
        if self.path.suffix == ".json":
            mistake = f"{self.path}:1: an experiment is read from YAML; JSON is YAML too: save it as {self.path.with_suffix('.yaml').name}"
            yield self._marked(WrongFile.from_parent(self, name=self.path.stem, mistake=mistake))
            return
        try:
            experiment = read_experiment(self.path, self.root)
        except ConfigError as error:
            yield self._marked(WrongFile.from_parent(self, name=self.path.stem, mistake=str(error)))
            return
        for trial in range(1, trials + 1):
            name = self.path.stem if trials == 1 else f"{self.path.stem}[trial{trial}]"
            yield self._marked(ExperimentItem.from_parent(self, name=name, experiment=experiment, trial=trial))

    def _marked(self, item: pytest.Item) -> pytest.Item:
        for marker in ("chaos", *self.path.relative_to(self.root).parent.parts):
            self.config.addinivalue_line("markers", f"{marker}: experiments in folder {marker}")
            item.add_marker(marker)
        return item


class WrongFile(pytest.Item):
    """A file that is no experiment. Where it is selected it becomes a collection error (:mod:`runner.plugin.selection`)."""

    def __init__(self, name: str, parent: ExperimentFile, *, mistake: str) -> None:
        super().__init__(name, parent)
        self.mistake = mistake

    def runtest(self) -> None:
        """Refuse to be run."""
        raise Refused(self.mistake)


class ExperimentItem(pytest.Item):
    """One run: preflight is its setup, so that a refusal is an error and not a failed test."""

    def __init__(self, name: str, parent: ExperimentFile, *, experiment: Experiment, trial: int) -> None:
        super().__init__(name, parent)
        self.experiment, self.absent = experiment, ""
        options = self.config.stash[KEY].options
        self.request = request_for(options, _run_id(self.path.stem, trial), self.path, parent.root, trial)
        self.chaos = self.config.stash[KEY]
        self.child = Child(self.request, self.chaos.progress.line)
        self.refusal = ""
        self.risks: list[str] = []  # of the platform, as the refusal shows them

    def skip(self, reason: str) -> None:
        """Let it be skipped: the target has nothing of what it needs."""
        self.absent = reason
        self.add_marker(pytest.mark.skip(reason=reason))

    def setup(self) -> None:
        """Start the child and wait for the end of preflight."""
        if self.request.run_dir.exists():
            self._refuse(f"{self.experiment.id}: pytest asked for this run a second time; {NO_RERUNS}")
        try:
            self.child.start()
        except OSError as error:
            self._refuse(f"{self.experiment.id}: the run cannot begin ({error}); nothing was injected; see --chaos-out and its disk")
        resolved = self._follow(until=Kind.RESOLVED)
        if self.child.interrupted and not resolved and not self.refusal:
            self.refusal = f"stopped by {self.child.signals[0]} before preflight was done; nothing was injected"
        if self.refusal or not resolved:
            code = self.child.end()
            self._refuse(self.refusal or unplanned(self.experiment.id, self.request, code))

    def _refuse(self, why: str) -> NoReturn:
        self.chaos.outcomes.append("refused")
        if not self.request.dry_run:
            self.chaos.refused.append((self.experiment.id, self.experiment.document.title, why))
            for sentence in self.risks:
                self.chaos.risks.setdefault(sentence, []).append(self.experiment.id)
        raise Refused(why)

    def runtest(self) -> None:
        """Wait for the run to be judged and compare its verdict with what the experiment expects."""
        self._follow()
        code = self.child.end()
        if self.request.dry_run and code == 0:
            self.chaos.outcomes.append("passed")
            return
        self._compare(self._verdict(code))

    def teardown(self) -> None:
        """Wait for the child in every case: a run is never abandoned."""
        self.child.end()
        if self.child.interrupted:
            self.session.shouldstop = f"stopped by {self.child.signals[0]}; every fault was healed, see {self.request.run_dir}"

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the file and the experiment's title."""
        return self.path, 0, f"{self.experiment.id}: {self.experiment.document.title}"

    def _follow(self, until: Kind | None = None) -> bool:
        """Show what the child says; return whether it said ``until`` (or nothing more, if nothing is waited for)."""
        with self.chaos.progress.during():
            for message in self.child.messages():
                self.chaos.progress.show(message)
                if message.kind is Kind.REFUSED:
                    self.refusal, self.risks = message.text(), message.fields.get("risks", [])
                if message.kind is until:
                    return True
        return until is None

    def _verdict(self, code: int) -> RunVerdict:
        file = self.request.run_dir / "verdict.json"
        if not file.exists():
            self.chaos.outcomes.append("broken")
            from runner.run.phases.drain_and_judge import judge_what_is_left  # noqa: PLC0415 - judging needs libraries that few sessions need

            if judge_what_is_left(self.request.run_dir):
                self.chaos.run_dirs.append(self.request.run_dir)
            log = self.request.run_dir / "child.log"
            raise Broken(
                f"{self.experiment.id}: the run ended with exit code {code} and no verdict; its log is {log}; "
                f"what it left is ended by: python -m runner heal --target {self.request.target}"
            )
        self.chaos.run_dirs.append(self.request.run_dir)
        return RunVerdict.model_validate_json(file.read_bytes())

    def _compare(self, verdict: RunVerdict) -> None:
        expect = self.experiment.settings.expect
        self.user_properties += [("run_id", verdict.run_id), ("verdict", verdict.verdict.value)]
        rto = verdict.measurement("rto")
        self.user_properties += [("rto_s", rto.value)] if rto and rto.value is not None else []
        if as_expected(verdict, expect):
            self.chaos.outcomes.append("passed")
            return
        inconclusive = verdict.verdict is Verdict.INCONCLUSIVE
        self.chaos.outcomes.append("inconclusive" if inconclusive else "failed")
        raise NotAsExpected(explained(verdict, expect, self.request.run_dir))


def unplanned(name: str, request: Request, code: int) -> str:
    """Return what is said of a child that ended in preflight without a word: nothing was injected, so it is no verdict."""
    log = request.run_dir / "child.log"
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    last = next((line for line in reversed(lines) if line.strip()), "nothing")
    said = excerpt(last, LONGEST)
    ended = f"{name}: the run ended in preflight with exit code {code}, nothing was injected; its log {log} ends with: {said}"
    heal = f"; what it left is ended by: python -m runner heal --target {request.target}"
    return f"{ended}; this is a defect of the suite, please report it{heal if (request.run_dir / 'plan.json').exists() else ''}"


def as_expected(verdict: RunVerdict, expect: Expect) -> bool:
    """Tell whether a verdict is the expected one, by the expected check if one is named."""
    named = expect.check is None or (expect.check, expect.verdict) in {(check.name, check.verdict) for check in verdict.checks}
    return verdict.verdict == expect.verdict and named


def explained(verdict: RunVerdict, expect: Expect, run_dir: Path) -> str:
    """Return the verdict's sentence, its checks that are not PASS, and where the run is kept."""
    lines = [f"{verdict.verdict}: {verdict.sentence}"]
    lines += [f"  {check.name}: {check.verdict}: {check.sentence}" for check in verdict.checks if check.verdict is not Verdict.PASS]
    lines += [f"  likely cause: {one.sentence} ({one.where}: {one.field})" for one in verdict.advice or ()]
    lines += [f"  {NO_CAUSE}"] if verdict.advice == () else []
    if expect != Expect():
        lines.append(f"  expected: {expect.verdict}" + (f" by check {expect.check}" if expect.check else ""))
    return "\n".join([*lines, f"  kept in {run_dir}"])


def _run_id(stem: str, trial: int) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:30]
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{name}-{trial}-{secrets.token_hex(2)}"
