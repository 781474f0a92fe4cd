"""The page of two engines: what each experiment came to in each pass, read from the run folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.common import pages
from bench.common.tables import Row
from history.plan import Plan
from history.reader import read_plan
from history.result import Check, RunVerdict

COMMAND = "make deploy STACKS=vllm && python -m bench.comparison.engines --target targets/vllm.yaml --write docs/results/vllm.md"
HEAD = """The same experiment files, gateway, Services and load balancer; one Deployment differs (workloads/manifests/vllm). Engine
`local` is the shipped one (workloads/inference), `vllm` is vLLM's own server on processors. A pass is one session of the set.
Each row is one run, none is left out. For the shipped engine: `make deploy && python -m bench.comparison.engines --target
targets/local.yaml`. With `--answers unknown` a pass judges the form of answers alone."""
WORDS = """- RTO, availability, full capacity: as the run's own checks measured them. Budgets that a target sets for one experiment are in
  its plan.
- Interrupted: requests under way at the fault that were cut, stalled or late; on its targets + elsewhere.
- False healthy: how long every replica called itself healthy while users were in an outage. Target green: how long the one hit
  did."""
ABSENT = "–"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a pass."""

    plan: Plan
    verdict: RunVerdict

    def check(self, name: str) -> Check | None:
        """Return the check of that name, if it was made."""
        return next((one for one in self.verdict.checks if one.name == name), None)

    def figure(self, name: str, unit: str = "") -> str:
        """Return a measurement as a cell."""
        found = self.verdict.measurement(name)
        return ABSENT if found is None or found.value is None else f"{found.value:.3g}{unit}"

    def checked(self, name: str, unit: str = "s") -> str:
        """Return what a check measured, with its interval and budget, as a cell."""
        check = self.check(name)
        if check is None or check.measured is None:
            return ABSENT
        bounds = f" [{check.low:.3g}, {check.high:.3g}]" if check.low is not None and check.high is not None else ""
        budget = f" of {check.budget:.3g}" if check.budget is not None else ""
        return f"{'> ' if check.censored else ''}{check.measured:.3g}{bounds}{budget} {unit}".strip()


def runs_of(row: Row) -> Iterator[Run]:
    """Yield the runs of a pass in the order in which they were made; a run without a verdict is no run that could be compared."""
    for folder in sorted(Path(row["out"], "runs").glob("*/verdict.json"), key=lambda file: read_plan(file.parent).created_ns):
        yield Run(read_plan(folder.parent), RunVerdict.model_validate_json(folder.read_text()))


def page(rows: list[Row]) -> str:
    """Return the page (Markdown)."""
    seen = [(row, list(runs_of(row))) for row in rows]
    return pages.page(
        "Two engines, the same experiments", COMMAND, rows, HEAD, _passes(seen), _verdicts(seen), WORDS, *_figures(seen), _gauges(seen)
    )


Seen = list[tuple[Row, list[Run]]]


def name_of(row: Row) -> str:
    """Return what a pass is called: its engine, and its rule for answers where that is not the target's."""
    return f"{row['target']}, answers {row['answers']}" if row["answers"] else str(row["target"])


def _passes(seen: Seen) -> str:
    heads = ("pass", "engine", "runs", "wall clock min", "most memory in use on the machine GB")
    return pages.table(
        heads, [(n, name_of(row), len(runs), f"{row['wall_s'] / 60:.1f}", row["memory_gb"]) for n, (row, runs) in enumerate(seen, 1)]
    )


def _verdicts(seen: Seen) -> str:
    """Return the verdicts of all passes beside each other, experiment by experiment."""
    experiments = list(dict.fromkeys(run.plan.experiment.id for _, runs in seen for run in runs))
    by_pass = [{run.plan.experiment.id: run.verdict.verdict.value for run in runs} for _, runs in seen]
    heads = ("verdicts", *(f"{n}: {name_of(row)}" for n, (row, _) in enumerate(seen, 1)))
    return pages.table(heads, [(name, *(found.get(name, ABSENT) for found in by_pass)) for name in experiments])


def _figures(seen: Seen) -> Iterator[str]:
    heads = (
        "experiment",
        "verdict",
        "RTO",
        "availability",
        "full capacity",
        "interrupted",
        "false healthy",
        "target green",
        "its sentence",
    )
    for n, (row, runs) in enumerate(seen, 1):
        yield f"## Pass {n}: {name_of(row)}\n\n" + pages.table(heads, [_cells(run) for run in runs])


def _cells(run: Run) -> tuple[object, ...]:
    hurt = f"{run.figure('interrupted_direct')} + {run.figure('interrupted_collateral')}"
    return (
        run.plan.experiment.id,
        run.verdict.verdict.value,
        run.checked("rto"),
        run.checked("availability", ""),
        run.checked("capacity_rto"),
        hurt,
        run.figure("wrong_green", " s"),
        run.figure("target_green", " s"),
        run.verdict.sentence,
    )


def _gauges(seen: Seen) -> str:
    """Return the gauges that preflight found in Prometheus, engine by engine."""
    found = {row["target"]: run.plan.versions.get("gauges of the engines", "none") for row, runs in seen for run in runs}
    lines = [f"- {target}: {gauges}" for target, gauges in found.items()]
    return "\n".join(["## Gauges found by asking Prometheus", "", *lines])
