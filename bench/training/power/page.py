"""The power table in Markdown."""

from __future__ import annotations

import os
from dataclasses import dataclass
from statistics import median

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
        found = self.verdict.measurement(name)
        return found.value if found else None


def markdown(results: list[Result], commit: str, size: str) -> str:
    """Return the page."""
    weak, hardened = [one for one in results if one.weakness], [one for one in results if not one.weakness]
    alarms = sum(one.verdict.verdict is Verdict.FAIL for one in hardened)
    unknown = sum(one.verdict.verdict is Verdict.INCONCLUSIVE for one in hardened)
    lines = [
        "# Power: weaknesses that must be found",
        "",
        f"Made by `{COMMAND}` (resumable) at {commit}, {os.cpu_count()} cores: {size}; real processes, real",
        "storage (volume, versitygw, an XFS whose power is cut), no cluster. Each run is judged by the suite's own verdict from its stored",
        "history. `caught`: the check that the row names says FAIL; INCONCLUSIVE is not caught.",
        "",
        f"**{sum(one.caught for one in weak)} of {len(weak)} weaknesses caught; {alarms} false alarms and {unknown} inconclusive in "
        f"{len(hardened)} hardened runs.**",
        "",
        "| weakness | setting | scenario | caught? | by | its sentence | failed, too |",
        "|---|---|---|---|---|---|---|",
        *(_weak(one) for one in weak),
        "",
        "## The hardened variant",
        "",
        "| scenario | runs | PASS | false alarms | inconclusive | RTO median (longest) | steps lost, most | what was said |",
        "|---|---|---|---|---|---|---|---|",
        *(_hardened([one for one in hardened if one.scenario == name]) for name in dict.fromkeys(one.scenario for one in hardened)),
        "",
    ]
    return "\n".join(lines)


def _weak(one: Result) -> str:
    weakness = one.weakness
    assert weakness is not None  # noqa: S101  sorted by the caller
    settings = ", ".join(f"`{key}={value}`" for key, value in weakness.settings.items())
    others = ", ".join(name for name in one.failed if name != weakness.check) or "–"
    caught = "yes" if one.caught else f"**no** ({one.verdict.verdict})"
    return f"| {weakness.name} | {settings} | {one.scenario} | {caught} | {weakness.check} | {flat(one.sentence)} | {others} |"


def _hardened(runs: list[Result]) -> str:
    rto = [value for one in runs if (value := one.measured("rto_train")) is not None]
    lost = [value for one in runs if (value := one.measured("lost_steps")) is not None]
    said = next((one.sentence for one in runs if not one.quiet), runs[0].sentence)
    counts = [sum(one.verdict.verdict is verdict for one in runs) for verdict in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)]
    times = f"{median(rto):.1f} s ({max(rto):.1f} s)" if rto else "–"
    return f"| {runs[0].scenario} | {len(runs)} | {' | '.join(map(str, counts))} | {times} | {max(lost, default=0):.0f} | {flat(said)} |"


def flat(text: str) -> str:
    """Return a text as one cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "/")
