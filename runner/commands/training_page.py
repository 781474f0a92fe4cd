"""The tables of ``docs/your-training-job.md``: which rows, fields, settings and limits, from what the code asks for."""

from __future__ import annotations

import re

from history.ledgers import NEEDED
from history.workloads import JobLimits
from target.job_kinds.kind import FAILED, known_kinds
from verdict.training.needs import table

GENERATED = re.compile(r"(<!-- generated: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)
LIMITS = {
    "pods": "until all pods of the job run",
    "first_step": "until all ranks did the first step, after that",
    "reference": "the undisturbed run, from when it is made; it is its `activeDeadlineSeconds`, too",
    "job": "the job, whatever becomes of the run that made it: its `activeDeadlineSeconds`",
}


def page(text: str) -> str:
    """Return the page with its generated tables as they are now."""
    parts = {"fields": table(), "every": f"{', '.join(f'`{name}`' for name in NEEDED)}\n", "limits": _limits(), "kinds": _kinds()}
    return GENERATED.sub(lambda match: match[1] + parts[match[2]] + match[3], text)


def _limits() -> str:
    lines = ["| `limits` | what ends there | default |", "|---|---|---|"]
    for name, field in JobLimits.model_fields.items():
        alias = str(field.validation_alias or name)
        lines.append(f"| `{alias}` | {LIMITS[alias]} | {field.default:g} s |")
    return "\n".join(lines) + "\n"


def _kinds() -> str:
    lines = [
        "| `kind` | template | what a run makes of it | pods carry its name as | it failed, by its condition |",
        "|---|---|---|---|---|",
    ]
    for name, kind in known_kinds().items():
        template, made = (f"`{one.kind}` of `{one.api_version}`" for one in (kind.template, kind.made))
        lines.append(f"| `{name}` | {template}, suspended | {made} | label `{kind.pod_label}` | `{FAILED}` |")
    return "\n".join(lines) + "\n"
