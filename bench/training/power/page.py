"""The power table in Markdown."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from bench.common import pages
from bench.common.tables import Row
from bench.training.power.weaknesses import Weakness
from history.result import RunVerdict, Verdict

COMMAND = "python -m bench.training.power --write docs/results/power.md"


@dataclass(frozen=True, slots=True)
class Result:
    """One judged run."""

    scenario: str
    weakness: Weakness | None
    seed: int
    verdict: RunVerdict
    measured_under: Row = field(default_factory=dict)  # date, commit, machine load

    @property
    def failed(self) -> list[str]:
        """The checks that failed."""
        return [check.name for check in self.verdict.checks if check.verdict is Verdict.FAIL]

    @property
    def caught(self) -> bool:
        """Whether the check that the row names failed."""
        return self.weakness is not None and self.weakness.check in self.failed

    @property
    def quiet(self) -> bool:
        """Whether nothing was found."""
        return self.verdict.verdict is Verdict.PASS

    @property
    def sentence(self) -> str:
        """The sentence of the check that the row names; of the verdict, where there is none."""
        named = self.weakness.check if self.weakness else ""
        return next((check.sentence for check in self.verdict.checks if check.name == named), self.verdict.sentence)

    @property
    def line(self) -> str:
        """What a person who waits wants to read."""
        who = self.weakness.name if self.weakness else f"hardened {self.seed}"
        return f"{self.scenario}: {who}: {self.verdict.verdict} {' '.join(self.failed)}: {self.sentence}"

    def measured(self, name: str) -> float | None:
        """Return a measurement, if it was made."""
        measurement = self.verdict.measurement(name)
        return measurement.value if measurement else None


def markdown(results: list[Result], size: str) -> str:
    """Return the page. ``size``: of the job."""
    weak, hardened = [result for result in results if result.weakness], [result for result in results if not result.weakness]
    alarms = sum(result.verdict.verdict is Verdict.FAIL for result in hardened)
    unknown = sum(result.verdict.verdict is Verdict.INCONCLUSIVE for result in hardened)
    scenarios = dict.fromkeys(result.scenario for result in hardened)
    return pages.page(
        "Power: weaknesses that must be found",
        COMMAND,
        [result.measured_under for result in results],
        f"Resumable. {size}; real processes, real storage (volume, versitygw, an XFS whose power is cut), no cluster. Each run is judged "
        "by the suite's own verdict from its stored history. `caught`: the check that the row names says FAIL; INCONCLUSIVE is not caught.",
        f"**{sum(result.caught for result in weak)} of {len(weak)} weaknesses caught; {alarms} false alarms and {unknown} inconclusive in "
        f"{len(hardened)} hardened runs.**",
        pages.table(("weakness", "setting", "scenario", "caught?", "by", "its sentence", "failed, too"), map(_weak, weak)),
        "## The hardened variant",
        pages.table(
            ("scenario", "runs", "PASS", "false alarms", "inconclusive", "RTO median (longest)", "steps lost, most", "what was said"),
            (_hardened([result for result in hardened if result.scenario == name]) for name in scenarios),
        ),
    )


def _weak(result: Result) -> tuple[str, ...]:
    weakness = result.weakness
    assert weakness is not None  # noqa: S101  sorted by the caller
    settings = ", ".join(f"`{key}={value}`" for key, value in weakness.settings.items())
    others = ", ".join(name for name in result.failed if name != weakness.check) or "–"
    caught = "yes" if result.caught else f"**no** ({result.verdict.verdict})"
    return weakness.name, settings, result.scenario, caught, weakness.check, result.sentence, others


def _hardened(runs: list[Result]) -> tuple[object, ...]:
    rto = [value for result in runs if (value := result.measured("rto_train")) is not None]
    lost = [value for result in runs if (value := result.measured("lost_steps")) is not None]
    sentence = next((result.sentence for result in runs if not result.quiet), runs[0].sentence)
    counts = [sum(result.verdict.verdict is verdict for result in runs) for verdict in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)]
    times = f"{median(rto):.1f} s ({max(rto):.1f} s)" if rto else "–"
    return runs[0].scenario, len(runs), *counts, times, f"{max(lost, default=0):.0f}", sentence
