"""Training data that a client overwrites with damaged ones, and their point-in-time restore, timed.

Mechanism: a program in the S3 server's container (:mod:`workloads.storage.overwrite`) uploads them again, damaged. When its time is over,
or when it is told to end, it does what an operator would (:mod:`workloads.storage.restore`): it detects the damage by the record's digest,
chooses the newest good version, puts it back and verifies it. Where that program is lost with its pod, the rollback does the same. Where
the suite is lost, too, the data stay as they are: ranks refuse them with the command that restores them.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from faults.mechanisms.exec_program import kind_of, permissions, resolve_servers, start_in_servers
from history.clock import now_ns
from history.errors import NoData, UndoFailed
from history.plan import ResolvedTarget
from history.schema import EventKind
from kube.client import Platform
from kube.container_exec import output_of
from kube.wait import until
from safety import active_run
from safety.active_run import ActiveRun
from safety.fault_spec import Arguments, fault, lasts_for_s
from safety.undo import undo_all
from safety.undo_journal import Undo, UndoKind
from target import reference_platform as storage

KINDS = ("bit-flip", "zeroed-page", "truncation")
ENDS = "its program restores the newest good version when its time is over"
# nobody may reap a program that was killed: it is gone all the same
END = "p=$(cat {file}.pid); kill -TERM $p; while ! test -e {file} && grep -q '^State:.[^Z]' /proc/$p/status; do sleep 0.2; done"
STEPS = ("detect", "choose", "restore", "verify")
RESTORED_S, POLL_S = 60.0, 0.5


def outcome_file(run_id: str) -> str:
    """Return where a storage server's container keeps what restoring the data came to; beside it, ``.pid`` names the program."""
    return f"/tmp/aftershock-restored-{run_id}.json"  # noqa: S108  the container's own


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    kind = kind_of("overwrite", arguments, KINDS)
    return resolve_servers(platform, arguments, rng, "overwrite", effect=f"training data uploaded with {kind}", ends=ENDS)


@fault(
    resolve=_resolve,
    permissions=permissions,
    tier="namespace",
    lasts_s=lasts_for_s,
    ends=ENDS,
    evidence=("probes.training_data.damaged",),
)
def overwrite(role: str, for_s: float, kind: str = "bit-flip", count: int = 1) -> dict[str, object]:
    """Upload the training data again, damaged, to ``count`` storage servers; after ``for_s`` seconds restore the newest good version.

    A job that begins, or begins again, meanwhile must not train on them. The rollback :func:`restore` ends it early.

    Args:
        role: the storage servers'.
        for_s: how long the damaged data stay (s, at most 120).
        kind: ``bit-flip``, ``zeroed-page`` or ``truncation``.
        count: how many servers.

    Raises:
        TargetRefused: no live run.
        FaultFailed: the program could not be started in a server's container.

    """
    outcome = outcome_file(active_run.require().plan.run_id)

    def line(seed: int) -> str:
        words = ("--record", storage.DATA_RECORD, "--kind", kind, "--for", str(for_s), "--seed", str(seed), "--outcome", outcome)
        return f"{storage.KEYS}; {storage.command(storage.OVERWRITE, storage.DATA_URL, *words)}"

    return start_in_servers(role, for_s, line) | {"kind": kind, "count": count}


def restore(role: str, project_gb: float = 0.0) -> dict[str, object]:
    """Rollback: see that what :func:`overwrite` damaged is restored, now if its time is not over yet, and record how long each part took.

    ``project_gb``: a size (10⁹ bytes), for which the record says how long its restore would take at the measured rate. If nothing was
    overwritten, that is success.

    Raises:
        UndoFailed: nothing is known to be restored after 60 s.

    """
    run = active_run.require()
    said = [_restored(run, undo, role, project_gb) for undo in run.journal.entries() if undo.self_ends == ENDS and not undo.done]
    return {"undone": [*said, *undo_all(run, {UndoKind.NOTHING})]}


def _restored(run: ActiveRun, undo: Undo, role: str, project_gb: float) -> str:
    """Tell the program to end, or do its work if it is gone; return what was done, and record it as the end of the fault."""
    file = outcome_file(run.plan.run_id)
    procedure = storage.command(storage.RESTORE, "--store", storage.DATA_URL, "--record", storage.DATA_RECORD, "--json")
    again = f"test -e {file} || {{ {procedure} >{file}.part && mv {file}.part {file}; }}"
    _inside(run, undo, role, f"({storage.KEYS}; {END.format(file=file)}; {again}) >/dev/null 2>&1 </dev/null &")
    outcome = _outcome(run, undo, role, file)
    took_s, said = _summary(undo, outcome, project_gb)
    run.log.event(EventKind.FAULT_END, undo.activity, t_ns=min(now_ns(), undo.ends_by_ns + int(took_s * 1e9)), how=said)
    return said


def _outcome(run: ActiveRun, undo: Undo, role: str, file: str) -> dict[str, Any]:
    """Wait for what restoring came to. Raises UndoFailed."""
    text = until(lambda: _inside(run, undo, role, f"cat {file} 2>/dev/null || true").strip(), RESTORED_S, POLL_S)
    if not text:
        raise UndoFailed(
            f"pod {undo.namespace}/{undo.object}: not known to be restored after {RESTORED_S:g} s; run beside the server: "
            f"python -m {storage.RESTORE} --store '{storage.DATA_URL}' --record {storage.DATA_RECORD}"
        )
    return dict(json.loads(text))


def _inside(run: ActiveRun, undo: Undo, role: str, line: str) -> str:
    container = run.platform.target.role(role).container or ""
    try:
        return output_of(run.platform, undo.object, undo.namespace or "", container, ["sh", "-c", line])
    except NoData as error:
        raise UndoFailed(f"training data are not known to be restored: {error}") from error


def _summary(undo: Undo, outcome: dict[str, Any], project_gb: float) -> tuple[float, str]:
    """Return how long the procedure took (s), and a sentence with each of its steps and the rate (10⁶ bytes a second)."""
    restored = [each for each in outcome["objects"] if each["problem"]]
    if not restored:
        return 0.0, f"{undo.object}: the data were good already"
    steps = {step: sum(each[f"{step}_s"] for each in restored) for step in STEPS}
    times = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in steps.items())
    versions = ", ".join(f"{each['key']} from version {each['version_id']}" for each in restored)
    rate = outcome["mb_per_s"]
    projected = f"; {project_gb:g} GB would take {project_gb * 1e3 / rate / 3600:,.1f} h" if project_gb and rate else ""
    return sum(steps.values()), f"{undo.object}: restored {versions}: {times}; {rate:.2g} MB/s{projected}"
