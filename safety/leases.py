"""Two runs never touch the same thing: a Lease per namespace, node and control plane, in the suite's namespace, taken in sorted order.

A lease lasts 15 s and is renewed every 5 s by a thread. Times are the API server's (:meth:`kube.client.Platform.server_time`), so that
clocks of several machines need not agree. Taking in sorted order keeps two runs from waiting for each other.

While a fault takes the API server away, nobody can renew a lease, and nobody can take one. Before such a fault the leases say themselves
that their holder may be silent for so long (:meth:`Leases.expect_absence`), so that nobody takes them when the server is back.
"""

from __future__ import annotations

import math
import os
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Self

import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from history.errors import FaultFailed, TargetRefused
from history.plan import ResolvedTarget
from kube import control_plane
from kube.answers import explained
from kube.client import Platform, api_errors, unless_gone
from kube.lists.paging import listed
from kube.objects import Lease, LeaseApi, Meta

DURATION_S, RENEW_S = 15, 5.0
CONTROL_PLANE = "aftershock-control-plane"
LABELS = {"app.kubernetes.io/managed-by": "aftershock"}


@dataclass(frozen=True, slots=True)
class Held:
    """One lease in the cluster."""

    name: str
    holder: str
    alive: bool
    age_s: float  # since its last renewal

    @property
    def run_id(self) -> str:
        """The run that holds it."""
        return self.holder.split("@", 1)[0]


def names_for(targets: Iterable[ResolvedTarget]) -> list[str]:
    """Return the names of the leases that a fault on ``targets`` needs, sorted.

    One per namespace, per node that goes down, and one for the control plane.
    """
    targets = list(targets)
    of_all = {CONTROL_PLANE for target in targets if target.kind == control_plane.KIND}
    namespaces = {f"aftershock-namespace-{target.namespace}" for target in targets if target.namespace}
    return sorted(of_all | namespaces | {f"aftershock-node-{target.node}" for target in targets if target.kind != "Pod" and target.node})


def holder_of(run_id: str) -> str:
    """Return who holds a run's leases: run id, host and process."""
    return f"{run_id}@{socket.gethostname()}:{os.getpid()}"


class Leases:
    """The leases of one run; a context manager that keeps them renewed.

    ``lost`` is empty, or the sentence that says which lease was lost; ``on_lost`` is called with it once, from the renewing thread.
    """

    def __init__(
        self,
        api: LeaseApi,
        namespace: str,
        holder: str,
        now: Callable[[], datetime],
        on_lost: Callable[[str], None] | None = None,
    ) -> None:
        self._api, self._namespace, self.holder, self._now, self._on_lost = api, namespace, holder, now, on_lost
        self._mine: dict[str, Lease] = {}  # name -> V1Lease as last seen
        self._away_until = now()  # the API server may be away until then, by a fault of this run
        self._one_at_a_time = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.lost = ""

    def acquire(self, names: Sequence[str]) -> None:
        """Take the leases ``names`` in sorted order; all or none. Raises TargetRefused: one is held by a live run, which it names."""
        try:
            for name in sorted(names):
                with api_errors(f"lease {name} in {self._namespace}", TargetRefused):
                    self._mine[name] = self._take(name)
        except TargetRefused:
            self.release()
            raise

    def start(self) -> None:
        """Renew from now on, until :meth:`release`."""
        self._thread = threading.Thread(target=self._keep, name="leases", daemon=True)
        self._thread.start()

    def renew(self) -> None:
        """Renew each lease once; a lease that somebody else took, or that could not be renewed in time, is reported as lost."""
        with self._one_at_a_time:
            for name in list(self._mine):
                try:
                    self._renew(name)
                except (ApiException, urllib3.exceptions.HTTPError) as error:
                    self._failed(name, error)

    def expect_absence(self, for_s: float) -> None:
        """Let the leases hold although nobody can renew them for ``for_s`` seconds from now: a fault is to take the API server away.

        They hold for 15 s beyond, and are as short as ever once they were renewed after that.

        Raises:
            FaultFailed: a lease cannot say so, so the fault must not act.

        """
        with self._one_at_a_time, api_errors("let the run's leases outlast the API server's absence", FaultFailed):
            self._away_until = self._now() + timedelta(seconds=for_s)
            for name in self._mine:
                self._renew(name)

    def release(self) -> None:
        """Stop renewing and delete those leases that are still ours; what cannot be deleted expires by itself in 15 s."""
        self._stop.set()
        if self._thread:
            self._thread.join()
        for name, lease in self._mine.items():
            uid, version = lease.metadata.uid, lease.metadata.resource_version
            body = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=uid, resource_version=version))
            try:
                self._api.delete_namespaced_lease(name, self._namespace, body=body)
            except (ApiException, urllib3.exceptions.HTTPError):
                continue  # taken over, gone, or out of reach
        self._mine.clear()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _keep(self) -> None:
        while not self._stop.wait(RENEW_S):
            self.renew()

    def _take(self, name: str) -> Lease:
        try:
            return self._api.create_namespaced_lease(self._namespace, self._fresh(name))
        except ApiException as error:
            if error.status != 409:
                raise
        lease = self._api.read_namespaced_lease(name, self._namespace)
        held = held_by(lease, self._now())
        if held.alive:
            raise TargetRefused(
                f"lease {name}: held by the run {held.holder}, renewed {held.age_s:.0f} s ago; "
                "two runs must not touch the same thing; wait for that run to end"
            )
        return self._api.replace_namespaced_lease(name, self._namespace, self._fresh(name, lease.metadata))

    def _fresh(self, name: str, meta: Meta | None = None) -> client.V1Lease:
        now = whole(self._now())
        spec = client.V1LeaseSpec(holder_identity=self.holder, lease_duration_seconds=self._duration_s(), acquire_time=now, renew_time=now)
        return client.V1Lease(metadata=meta or client.V1ObjectMeta(name=name, labels=LABELS), spec=spec)

    def _duration_s(self) -> int:
        """Return for how long a lease holds that is renewed now."""
        return DURATION_S + math.ceil(max(0.0, (self._away_until - self._now()).total_seconds()))

    def _renew(self, name: str) -> None:
        lease = self._mine[name]
        before = lease.spec.renew_time, lease.spec.lease_duration_seconds
        lease.spec.renew_time, lease.spec.lease_duration_seconds = whole(self._now()), self._duration_s()
        try:
            self._mine[name] = self._api.replace_namespaced_lease(name, self._namespace, lease)
        except (ApiException, urllib3.exceptions.HTTPError):
            lease.spec.renew_time, lease.spec.lease_duration_seconds = before
            raise

    def _failed(self, name: str, error: ApiException | urllib3.exceptions.HTTPError) -> None:
        """Find out what a failed renewal means: taken, deleted, changed by a labeller, or just no answer for now."""
        try:
            read = partial(self._api.read_namespaced_lease, name, self._namespace)
            lease = unless_gone(read) if getattr(error, "status", 0) in {404, 409} else self._mine[name]
        except (ApiException, urllib3.exceptions.HTTPError):
            lease = self._mine[name]
        if lease is None or lease.spec.holder_identity != self.holder:
            holder = lease.spec.holder_identity if lease else "nobody: it was deleted"
            self._report_lost(name, f"lease {name} is no longer ours; it is held by {holder}")
        elif not held_by(self._mine[name], self._now()).alive:
            lasted_s = self._mine[name].spec.lease_duration_seconds
            self._report_lost(name, f"lease {name} could not be renewed for {lasted_s} s: {explained(error)}")
        else:
            self._mine[name] = lease  # somebody changed its labels, or no answer for now: the next renewal uses this version

    def _report_lost(self, name: str, sentence: str) -> None:
        self._mine.pop(name)
        if not self.lost:
            self.lost = sentence
            if self._on_lost:
                self._on_lost(sentence)


def whole(when: datetime) -> datetime:
    """Return ``when`` with a fraction: the client leaves out zero microseconds, which the API server then refuses."""
    return when.replace(microsecond=max(1, when.microsecond))


def held_by(lease: Lease, now: datetime) -> Held:
    """Read a V1Lease; one without holder or time counts as expired."""
    spec = lease.spec
    if not spec or not spec.holder_identity or not spec.renew_time:
        return Held(lease.metadata.name, (spec and spec.holder_identity) or "", alive=False, age_s=float("inf"))
    age_s = (now - spec.renew_time).total_seconds()
    return Held(lease.metadata.name, spec.holder_identity, age_s <= (spec.lease_duration_seconds or DURATION_S), age_s)


def leases_of(platform: Platform, run_id: str, on_lost: Callable[[str], None] | None = None) -> Leases:
    """Return the leases of a run, none of them taken yet."""
    return Leases(platform.coordination, platform.target.suite.namespace, holder_of(run_id), platform.server_time, on_lost)


def list_leases(platform: Platform) -> list[Held]:
    """Return every lease of the suite in its namespace. Raises TargetRefused."""
    selector = ",".join(f"{key}={value}" for key, value in LABELS.items())
    with api_errors("list the suite's leases", TargetRefused):
        leases = listed(platform.coordination.list_namespaced_lease, platform.target.suite.namespace, label_selector=selector).items
    return [held_by(lease, platform.server_time()) for lease in leases]


def alive_runs(platform: Platform) -> frozenset[str]:
    """Return the ids of the runs that hold a living lease. Raises TargetRefused."""
    return frozenset(lease.run_id for lease in list_leases(platform) if lease.alive)
