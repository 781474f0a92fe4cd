"""``python -m runner catalogue``: pages and tables that repeat what faults, probes, budgets, checks and experiments say of themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from runner.commands import budget_page, fault_page, permission_page, training_page
from runner.experiment.absence import absent
from runner.experiment.catalogue import ends
from runner.experiment.experiment import Experiment, check_target, read_experiment
from runner.experiment.format import Action
from target.target import Target

GENERATED = re.compile(r"(<!-- generated: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
HEAD = """| experiment | title | fault | what ends it | evidence, not from the injector | budgets |
|---|---|---|---|---|---|
"""
UNSAID = {"role", "for_s", "count"}  # arguments that the table leaves out


def pages(root: Path, target: Target, others: Iterable[Target] = ()) -> dict[Path, str]:
    """Return what each generated page of the repository should be.

    ``others``: targets with parts that ``target`` has not, for the experiments that need these.

    Raises:
        ConfigError: an experiment is wrong, or for none of the targets.

    """
    folder = root / "experiments"
    experiments = [read_experiment(file, folder) for file in sorted(folder.glob("*/*.yaml"))]
    elsewhere = {one.id: other for other in others for one in experiments if absent(one, target) and not absent(one, other)}
    for experiment in experiments:
        check_target(experiment, elsewhere.get(experiment.id, target))
    return {
        root / "docs" / "budgets.md": budget_page.page(),
        root / "docs" / "faults.md": fault_page.page(experiments, target),
        root / "docs" / "permissions.md": permission_page.page(experiments, target, elsewhere),
        root / "docs" / "your-training-job.md": training_page.page((root / "docs" / "your-training-job.md").read_text()),
        folder / "README.md": with_rows((folder / "README.md").read_text(), experiments),
    }


def with_rows(text: str, experiments: Iterable[Experiment]) -> str:
    """Return a page in which the tables between ``<!-- generated: FOLDER… -->`` and ``<!-- end -->`` have a row for each experiment."""
    rows = [(experiment.id.partition("/")[0], row(experiment)) for experiment in experiments]

    def table(match: re.Match[str]) -> str:
        folders = match[2].split()
        return match[1] + HEAD + "".join(f"{line}\n" for folder in folders for of, line in rows if of == folder) + match[3]

    return GENERATED.sub(table, text)


def row(experiment: Experiment) -> str:
    """Return the row of an experiment."""
    method, settings = experiment.document.method, experiment.settings
    marks = ", ".join(tag for tag in experiment.document.tags if tag == "weak" or re.fullmatch(r"[A-Z]\d+", tag))
    evidence = ", ".join(f"`{one.provider.name}`" for one in settings.evidence)
    budgets = ", ".join(f"{name} {value}" for name, value in experiment.written.get("budgets", {}).items() if name != "because")
    expected = f"; must be {settings.expect.verdict} by {settings.expect.check}" if settings.expect.check else ""
    cells = [f"{experiment.id} ({marks})", experiment.document.title, _each(map(_called, method)), _each(map(ends, method))]
    return f"| {' | '.join([*cells, evidence or '–', budgets + expected])} |"


def _each(said: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(said)) or "–"


def _called(action: Action) -> str:
    about = ", ".join(f"{name}: {value}" for name, value in action.provider.arguments.items() if name not in UNSAID)
    return f"`{action.provider.name}`" + (f" ({about})" if about else "")
