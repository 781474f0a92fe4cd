"""A deletion that hangs: a pod that nobody depends on is cut off, its daemons are sent away, and the cut is to be ended all the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from random import Random

from bench.common.tables import Row
from faults.mechanisms.chaos_mesh import manifest, partition
from history.clock import now_ns
from history.errors import TargetRefused, UndoFailed
from kube import plain_objects
from kube.chaos_mesh import chaos, installed
from kube.client import Platform
from kube.selection import choose_pods, pod_target
from kube.wait import until
from safety.chaos import confirm, detail_of, name_of
from safety.undo import undo_entry
from safety.undo_journal import Undo, UndoKind
from target.job_kinds.kind import Plain
from target.region import ChaosMesh

RUN, ROLE, FOR_S, LIMIT_S = "bench-hang", "decoy", 600.0, 90.0
DAEMONS, NOWHERE = "chaos-daemon", {"aftershock.dev/nowhere": "true"}


def let_hang(platform: Platform) -> Row:
    """Return what was said while nobody could end the cut, and what happened when the daemons were back.

    Raises:
        TargetRefused: the region has no Chaos Mesh, or it does not do what this needs in time.

    """
    mesh = platform.region.chaos_mesh
    if mesh is None:
        raise TargetRefused(f"target {platform.target.name}: its region has no chaos_mesh; run make chaos-mesh")
    entry = _cut(platform)
    with _without_daemons(platform, mesh):
        refused, after_s = _undone(platform, entry)
        finalizers = _read(platform, entry)["metadata"].get("finalizers") or []
    ended, took_s = _undone(platform, entry)
    confirm(platform, entry)
    return {"said": refused, "said_after_s": after_s, "finalizers": finalizers, "then": ended, "then_after_s": took_s}


def _cut(platform: Platform) -> Undo:
    """Cut one pod of the role off; return what undoes that."""
    [pod] = choose_pods(platform, ROLE, 1, Random(1))  # noqa: S311 - repeatable on purpose
    target, own = pod_target(pod, "", ""), platform.target.suite.namespace
    made = partition(platform, target, pod, FOR_S)
    plain_objects.create(platform, made.kind, own, manifest(RUN, "hang", made, own))
    name, detail = name_of(RUN, target), detail_of(made.kind, target)
    entry = Undo(kind=UndoKind.DELETE_CHAOS, activity="hang", object=name, namespace=own, detail=detail, ends_by_ns=now_ns())
    _await(lambda: chaos.injected(_read(platform, entry), f"{target.namespace}/{target.name}"), "cut the pod off")
    return entry


@contextmanager
def _without_daemons(platform: Platform, mesh: ChaosMesh) -> Iterator[None]:
    """Send all daemons away, and let them come back."""
    there = len(installed.nodes_with_daemon(platform, mesh))
    _place(platform, mesh, NOWHERE)
    try:
        _await(lambda: not installed.nodes_with_daemon(platform, mesh), "send its daemons away")
        yield
    finally:
        _place(platform, mesh, dict.fromkeys(NOWHERE))
        _await(lambda: len(installed.nodes_with_daemon(platform, mesh)) == there, "bring its daemons back")


def _place(platform: Platform, mesh: ChaosMesh, selector: Mapping[str, str | None]) -> None:
    body = {"spec": {"template": {"spec": {"nodeSelector": selector}}}}
    platform.apps.patch_namespaced_daemon_set(DAEMONS, mesh.namespace, body)


def _undone(platform: Platform, entry: Undo) -> tuple[str, float]:
    """Undo the entry; return what was said, and after how long (s)."""
    begun_s = time.monotonic()
    try:
        said = undo_entry(platform, entry)
    except UndoFailed as error:
        said = str(error)
    return said, round(time.monotonic() - begun_s, 1)


def _read(platform: Platform, entry: Undo) -> Plain:
    return plain_objects.read(platform, chaos.NETWORK, entry.namespace or "", entry.object)


def _await(true: Callable[[], object], what: str) -> None:
    if not until(true, LIMIT_S):
        raise TargetRefused(f"Chaos Mesh did not {what} within {LIMIT_S:g} s; look at its pods")
