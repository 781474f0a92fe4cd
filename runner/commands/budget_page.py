"""``docs/budgets.md``: every budget and every check, from what they say of themselves: declaration, registration, docstring."""

from __future__ import annotations

from history.budgets import BUDGETS, Budget
from history.kinds import EVERY, in_words
from reports import names
from reports.text import quantity
from runner.commands.fault_page import prose
from verdict.registered import all_checks
from verdict.shared.registry import CheckSpec, Role

HEADER = """# Budgets and checks

This page is what `python -m runner catalogue` writes, from the declarations in `history/budgets.py` and what each check says of itself; a
test keeps it current.

## Budgets
A budget stands under `budgets` of an experiment, or of a class of workload in the target file. An experiment's goes before its class's, a
class's before the default. What has no budget is not checked. Say why it is this much under `because`, and the report shows it:
`budgets: {rto: 30s, because: {rto: users give up after half a minute}}`.

| budget | what it is | unit | must be | means something for | default of a class |
|---|---|---|---|---|---|"""
CHECKS = """## Checks
The verdict of a run is the worst of its checks. How a check stands to the others:
"""
TABLE = """
| check | on the page | of | stands as | judges budget | what it does |
|---|---|---|---|---|---|"""


def page() -> str:
    """Return the page in Markdown."""
    roles = [f"- {role.name.lower()}: {role.value}" for role in Role]
    budgets = "\n".join([HEADER, *map(_budget, BUDGETS.values())])
    return f"{budgets}\n\n" + "\n".join([CHECKS, *roles, TABLE, *map(_check, all_checks())]) + "\n"


def _budget(budget: Budget) -> str:
    kinds = " and ".join(in_words(kind) for kind in budget.kinds) or EVERY
    defaults = ", ".join(f"{workload} {quantity(value, budget.unit)}" for workload, value in budget.defaults.items()) or "–"
    bound = "at least" if budget.at_least else "at most"
    return f"| `{budget.written}` | {budget.title}. {budget.definition} | {budget.unit} | {bound} | {kinds} | {defaults} |"


def _check(spec: CheckSpec) -> str:
    judges = f"`{spec.budget.written}`" if spec.budget else "–"
    said = prose(spec.function).replace("\n\n", " ").replace("\n", " ").replace("|", r"\|")
    return f"| `{spec.name}` | {names.label(spec.name)} | {in_words(spec.kind)} | {spec.role.name.lower()} | {judges} | {said} |"
