"""The corruption matrix as a page in Markdown: classes of damage by tool, a table for each storage, every cell counts its seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from platform import python_version

from bench.common import pages
from bench.common.tables import circumstances

COMMAND = "python -m bench.training.checkpoints --write docs/results/checkpoint-corruption.md"
Outcomes = Mapping[tuple[str, str, str], Counter[str]]  # by (class, storage, tool)
LEGEND = """`noticed`: the loader raised, or fell back to the older checkpoint and said so.
`SILENT`: it returned normally, with other bits than were saved.
`older, silently`: it went on from the older checkpoint without a word.
`unharmed`: the bits that were saved (a stock loader may not use the damaged bytes). `–`: the format has no such file.
"""


def markdown(outcomes: Outcomes, sentence: str, seeds: int, bad: Iterable[str]) -> str:
    """Return the page; ``bad`` are the outcomes in which a resume went on from something else than was saved, or from less, unsaid."""
    classes, storages, tools = (list(dict.fromkeys(key[place] for key in outcomes)) for place in range(3))
    parts = []
    for storage in storages:
        damaged = [name for name in classes if (name, storage, tools[0]) in outcomes]
        lines = [(name, *(_cell(outcomes[name, storage, tool]) for tool in tools)) for name in damaged]
        parts += [f"## {storage[0].upper()}{storage[1:]}", pages.table(("class", *tools), lines)]
    sums = "\n".join(_sums(outcomes, tools, list(bad)))
    return pages.page("Which damage to checkpoints is noticed", COMMAND, [circumstances()], _how(seeds), LEGEND, sentence, sums, *parts)


def _how(seeds: int) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "safetensors", "boto3"))
    return (
        f"The newest of two checkpoints of a real run (three ranks, steps 10 and 20) is damaged, {seeds} seeds a cell. "
        "Then a resume is tried with this project's training workload (`ours`) and with each stock loader. "
        "A stock loader takes the highest step that looks complete. "
        f"{versions}, versitygw, Python {python_version()}."
    )


def _sums(outcomes: Outcomes, tools: list[str], bad: list[str]) -> list[str]:
    lines = []
    for tool in tools:
        total = sum((count for (_, _, one), count in outcomes.items() if one == tool), Counter[str]())
        tried = total.total() - total["–"]
        lines.append(f"- {tool}: of {tried} resumes " + "; ".join(f"{total[outcome]} {outcome}" for outcome in bad))
    return lines


def _cell(count: Counter[str]) -> str:
    return ", ".join(f"{outcome} {number}" for outcome, number in count.most_common())
