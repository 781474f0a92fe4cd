"""The undo journal: one ConfigMap a run in the suite's namespace, written before the fault.

It names owner, start, end, and how to undo what was done. The vocabulary is closed (:class:`UndoKind`): the suite, ``heal`` and the reaper
in the cluster carry it out alike (:mod:`safety.undo`). Writers never overwrite each other: every change replaces the version that was
read, and a conflict reads again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from pydantic import TypeAdapter, ValidationError

from history.clock import now_ns
from history.errors import AftershockError, FaultFailed, TargetRefused, UndoFailed
from history.values import FrozenModel
from kube.client import Platform, api_errors
from kube.lists.paging import listed
from kube.objects import ConfigMap, ConfigMapApi

LABELS = {"app.kubernetes.io/managed-by": "aftershock", "aftershock.dev/kind": "journal"}
RUN, REAPER, HEAL = "the run", "the reaper in the cluster", "make heal"  # who undoes
TRIES = 8  # of one change, while somebody else changes the same journal


class UndoKind(StrEnum):
    """How a fault is undone. A new kind needs its case in :mod:`safety.undo`."""

    UNCORDON = "uncordon"  # object: node; only if it was not cordoned before
    POWER_ON = "power-on"  # object: node, detail: when its power was cut (API server's clock); by the machine driver
    START_CONTROL_PLANE = "start-control-plane"  # object: a part of it, detail: when it was stopped; by the control plane's driver
    REPAIR_GPU = "repair-gpu"  # object: node, detail: index; by the GPU driver
    DELETE_POD = "delete-pod"  # object: pod; a fault pod of the suite
    DELETE_CHAOS = "delete-chaos"  # object: a chaos object of Chaos Mesh, detail: safety.chaos.OfPod
    REPLACE_POD = "replace-pod"  # object: pod, detail: uid; it carries an ephemeral container that cannot be removed
    RESTORE_DATA = "restore-data"  # object: storage server's pod, detail: safety.data_damage.DataDamage; by a program in its container
    RESCALE = "rescale"  # object: a controller, detail: safety.rescaling.Rescaled; unless somebody else scaled it meanwhile
    DELETE_WEBHOOK = "delete-webhook"  # object: a webhook's configuration, namespace: whose new pods it refuses
    DELETE_QUOTA = "delete-quota"  # object: a quota that refuses new pods, and the Job that ends it
    END_LOAD = "end-load"  # object: folder of a load generator's record, detail: the machine that it runs on; see safety.load_process
    NOTHING = "nothing"  # the platform itself repairs it (a killed pod is replaced); recorded for the reader


class Undo(FrozenModel):
    """One entry of the journal."""

    kind: UndoKind
    activity: str
    object: str
    namespace: str | None = None
    detail: str = ""
    ends_by_ns: int  # after this the reaper carries it out
    self_ends: str = ""  # what ends the fault even if nobody carries this out
    bypass_pdb: bool = False  # REPLACE_POD: the experiment allows to delete what a disruption budget does not let be evicted
    done: bool = False
    done_by: str = ""
    done_ns: int = 0  # by the clock of who did it; 0 while it is not done

    def carried_out(self, by: str) -> Undo:
        """Return this entry as undone by ``by``, now."""
        return self.model_copy(update={"done": True, "done_by": by, "done_ns": now_ns()})

    def same_as(self, other: Undo) -> bool:
        """Tell whether both are the same entry, done or not."""
        open_again = {"done": False, "done_by": "", "done_ns": 0}
        return self.model_copy(update=open_again) == other.model_copy(update=open_again)


class RunHeader(FrozenModel):
    """Whose journal it is."""

    run_id: str
    owner: str  # user@host:pid
    experiment: str
    started_ns: int


class StoredJournal(FrozenModel):
    """A journal as it stands in the cluster."""

    name: str
    header: RunHeader
    entries: tuple[Undo, ...]

    @property
    def remaining(self) -> list[Undo]:
        """Entries that are not undone yet, latest first: the order in which to undo them."""
        return [undo for undo in reversed(self.entries) if not undo.done]


ENTRIES: TypeAdapter[tuple[Undo, ...]] = TypeAdapter(tuple[Undo, ...])


def journal_name(run_id: str) -> str:
    """Return the ConfigMap's name of a run."""
    return "aftershock-run-" + re.sub(r"[^a-z0-9.-]+", "-", run_id.lower()).strip("-.")[:200]


class RunJournal:
    """The journal of one run (implements :class:`safety.active_run.UndoJournal`)."""

    def __init__(self, api: ConfigMapApi, namespace: str, name: str) -> None:
        self._api, self.namespace, self.name = api, namespace, name

    def will_undo(self, undo: Undo) -> None:
        """Record ``undo`` before its fault acts. Raises FaultFailed: it cannot be recorded, so the fault must not act."""
        self._change(lambda entries: (*entries, undo), f"record how to undo {undo.activity}", FaultFailed)

    def undone(self, undo: Undo, by: str = RUN) -> None:
        """Record that ``undo`` has been carried out, and by whom. Raises UndoFailed."""

        def mark(entries: tuple[Undo, ...]) -> tuple[Undo, ...]:
            return tuple(entry.carried_out(by) if entry.same_as(undo) and not entry.done else entry for entry in entries)

        self._change(mark, f"record that {undo.activity} is undone", UndoFailed)

    def entries(self) -> list[Undo]:
        """Return all entries, oldest first. Raises UndoFailed."""
        with api_errors(f"journal {self.name}", UndoFailed):
            return list(stored(self._read()).entries)

    def close(self) -> None:
        """Delete the journal. Raises UndoFailed: entries remain (they are named), or it cannot be deleted."""
        remaining = [entry for entry in self.entries() if not entry.done]
        if remaining:
            what = ", ".join(f"{entry.kind} {entry.object}" for entry in remaining)
            raise UndoFailed(f"journal {self.name}: {what} is not undone yet; run make heal, or python -m runner heal --target FILE")
        with api_errors(f"journal {self.name}: delete", UndoFailed):
            self._api.delete_namespaced_config_map(self.name, self.namespace)

    def _read(self) -> ConfigMap:
        return self._api.read_namespaced_config_map(self.name, self.namespace)

    def _change(self, change: Callable[[tuple[Undo, ...]], tuple[Undo, ...]], what: str, raises: type[AftershockError]) -> None:
        with api_errors(f"journal {self.name}: {what}", raises):
            for left in reversed(range(TRIES)):
                body = self._read()
                body.data["undo"] = ENTRIES.dump_json(change(stored(body).entries)).decode()
                try:
                    self._api.replace_namespaced_config_map(self.name, self.namespace, body)
                except ApiException as error:
                    if error.status != 409 or not left:
                        raise
                else:
                    return


def open_journal(platform: Platform, run_id: str, owner: str, experiment: str) -> RunJournal:
    """Create the journal of a run in the suite's namespace.

    Raises:
        TargetRefused: it exists already, the suite's namespace is missing, or writing is not allowed.

    """
    name, namespace = journal_name(run_id), platform.target.suite.namespace
    header = RunHeader(run_id=run_id, owner=owner, experiment=experiment, started_ns=now_ns())
    meta = client.V1ObjectMeta(name=name, labels=LABELS)
    body = client.V1ConfigMap(metadata=meta, data={"run": header.model_dump_json(), "undo": "[]"})
    with api_errors(f"open the undo journal {name} in the suite's namespace {namespace}", TargetRefused):
        platform.core.create_namespaced_config_map(namespace, body)
    return RunJournal(platform.config_maps, namespace, name)


def list_journals(platform: Platform) -> list[StoredJournal]:
    """Return every journal in the suite's namespace, oldest first: leftovers, unless their run is alive (see :mod:`safety.leases`).

    Raises:
        TargetRefused: they cannot be listed or read.

    """
    namespace = platform.target.suite.namespace
    selector = ",".join(f"{key}={value}" for key, value in LABELS.items())
    with api_errors(f"list undo journals in {namespace}", TargetRefused):
        bodies = listed(platform.config_maps.list_namespaced_config_map, namespace, label_selector=selector).items
    return sorted((stored(body) for body in bodies), key=lambda journal: journal.header.started_ns)


def journal_of(platform: Platform, journal: StoredJournal) -> RunJournal:
    """Return a writer for a journal that is stored."""
    return RunJournal(platform.config_maps, platform.target.suite.namespace, journal.name)


def stored(body: ConfigMap) -> StoredJournal:
    """Parse a V1ConfigMap. Raises TargetRefused: it is not a journal of this version of the suite."""
    data = body.data or {}
    try:
        header = RunHeader.model_validate_json(data.get("run", ""))
        return StoredJournal(name=body.metadata.name, header=header, entries=ENTRIES.validate_json(data.get("undo", "")))
    except ValidationError as error:
        raise TargetRefused(
            f"journal {body.metadata.name}: it cannot be read ({error.error_count()} mistakes); "
            "heal with the version of the suite that wrote it, or look at it: kubectl get configmap -o yaml"
        ) from error
