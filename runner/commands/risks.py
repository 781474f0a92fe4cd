"""``python -m runner risks``: single points of failure and gaps that the live platform shows; nothing is injected, nothing changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from history.errors import ConfigError, TargetRefused
from history.layout import Layout, Weakness
from kube.client import api_errors, connect
from kube.connection.remembering_client import RememberingClient
from kube.layout.read import read_layout
from kube.lists.one_look import one_look
from runner.drivers.choice import read_target
from runner.preflight.platform_health import look
from runner.risks.find import find_risks
from runner.risks.proofs import read_proofs
from target.secrets.hiding import redact_text


def run(target_file: Path, experiments: Sequence[Path], *, as_json: bool) -> int:
    """Print the risks of the platform; return the exit code: 0 none was found, 1 some were.

    ``experiments``: the folders in which experiments that would prove them are looked for.

    Raises:
        ConfigError, TargetRefused: the target file or a folder is wrong, nobody can connect, or pods and controllers may not be read.

    """
    target = read_target(target_file)
    for folder in experiments:
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder of experiments; name one with --experiments")
    platform = one_look(connect(target, by=RememberingClient))
    with api_errors(f"target {target.name}: read how the platform is built", TargetRefused):
        now = look(platform)
        layout = read_layout(platform, now.replicas, now.zone_of)
    found = find_risks(layout, read_proofs(experiments))
    print(redact_text(written(target.name, layout, found) if as_json else "\n".join(lines(layout, found))))
    return int(bool(found))


def written(target: str, layout: Layout, found: Sequence[Weakness]) -> str:
    """Return what was found as JSON: the target's name, each risk, and what could not be read."""
    risks = [one.model_dump(mode="json") for one in found]
    return json.dumps({"target": target, "risks": risks, "unread": layout.unread}, indent=1)


def lines(layout: Layout, found: Sequence[Weakness]) -> Iterator[str]:
    """Yield what was found as a person reads it: by object, a risk in three lines; then what could not be read."""
    for where, those in groupby(found, key=lambda one: (one.role, one.where)):
        role, thing = where
        yield f"{thing} (role {role})" if role else thing
        for one in those:
            yield f"  {one.name}: {one.says} {one.costs}"
            yield f"    look at {one.field}"
            yield f"    proved by {', '.join(one.proved_by)}" if one.proved_by else "    no experiment here would prove it"
    roles = ", ".join(one.role for one in layout.roles)
    yield f"{len(found)} risk{'' if len(found) == 1 else 's'} of roles {roles or '(none has a pod)'}; nothing was injected"
    yield from (f"not read: this account may not {what}; what follows from it is not known" for what in layout.unread)
