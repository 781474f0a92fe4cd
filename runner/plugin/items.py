"""Experiments as pytest items: one file is one item a trial, its folders are markers."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from history.errors import ConfigError
from history.reader import read_plan
from history.result import RunVerdict, Verdict, as_expected
from runner.experiment.experiment import Experiment, read_experiment
from runner.messages import Kind
from runner.plugin.minutes import too_late
from runner.plugin.options import request_for
from runner.plugin.recording import began, note, refused
from runner.plugin.sentences import failed, unplanned
from runner.plugin.session import KEY
from runner.plugin.ways import NO_RERUNS
from runner.run.parent import Child

if TYPE_CHECKING:
    from nights.waivers import Weighed


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
        self.config.stash[KEY].at_hand[experiment.id] = experiment
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
        if late := too_late(self.chaos, self.experiment.id):
            entry = (self.experiment.id, self.experiment.document.title, late)
            self.chaos.no_time += [entry] if entry not in self.chaos.no_time else []
            pytest.skip(late)
        if self.request.run_dir.exists():
            self._refuse(f"{self.experiment.id}: pytest asked for this run a second time; {NO_RERUNS}")
        began(self.chaos, self.experiment.id, self.request.run_dir)
        try:
            self.child.start(self.chaos.record)
        except OSError as error:
            refused(self.chaos, self.request.run_dir)
            self._refuse(f"{self.experiment.id}: the run cannot begin ({error}); nothing was injected; see --chaos-out and its disk")
        resolved = self._follow(until=Kind.RESOLVED)
        if self.child.interrupted and not resolved and not self.refusal:
            self.refusal = f"stopped by {self.child.signals[0]} before preflight was done; nothing was injected"
        if self.refusal or not resolved:
            code = self.child.end()
            refused(self.chaos, self.request.run_dir)
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
        note(self.chaos)
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
        known = self._weighed(verdict)
        if known is not None and known.waived:
            self.chaos.outcomes.append("waived")
            pytest.xfail("; ".join(known.covered))
        inconclusive = verdict.verdict is Verdict.INCONCLUSIVE or (known is not None and known.left is Verdict.INCONCLUSIVE)
        self.chaos.outcomes.append("inconclusive" if inconclusive else "failed")
        raise NotAsExpected(failed(verdict, expect, known.red if known else (), self._page()))

    def _page(self) -> Path:
        """Return where the report of this session will show the experiment."""
        from reports.page.html import page_of  # noqa: PLC0415 - plotting libraries are loaded only when there is something to plot

        return self.chaos.options.out / "latest" / page_of(self.experiment.id)

    def _weighed(self, verdict: RunVerdict) -> Weighed | None:
        """Return what waivers say; a verdict that they cover whole is shown as an expected failure and fails nothing."""
        if self.chaos.options.waivers is None:
            return None
        from reports.night.waived import weighed  # noqa: PLC0415 - judging's libraries are loaded only where they are needed

        return weighed(self.chaos.options.waivers, read_plan(self.request.run_dir), verdict)


def _run_id(stem: str, trial: int) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:30]
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{name}-{trial}-{secrets.token_hex(2)}"
