"""What disruption budgets (PodDisruptionBudget) say of a pod: whether it may be evicted now, and whether that is only a matter of time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from kube.answers import message_of
from kube.client import Platform, ready, unless_forbidden, unless_gone
from kube.labels import query_of, selected
from kube.lists.paging import listed
from kube.objects import DisruptionBudget, Pod
from kube.permissions import Permission

SEVERAL = "more than one PodDisruptionBudget"  # the API server's words, with status 500


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget that selects a pod: how many of its pods must be healthy, of how many, and whether the others all are Ready."""

    name: str
    healthy: int
    of: int
    others_ready: bool

    @property
    def never(self) -> bool:
        """Whether it allows no eviction even while all of its pods are healthy."""
        return self.healthy >= self.of

    @property
    def words(self) -> str:
        """What it wants; of pods that no controller with a scale owns it counts none, and allows nothing."""
        return f"wants {self.healthy} of {self.of} pods healthy" if self.of else "counts none of its pods (see kubectl describe pdb)"


def permission(namespace: str | None) -> Permission:
    """Return what reading the budgets of a namespace (None: of all) needs."""
    return Permission("list", "poddisruptionbudgets", "policy", namespace)


def evicted(pod: Pod) -> client.V1Eviction:
    """Return the request to evict exactly this V1Pod."""
    return eviction(pod.metadata.name, pod.metadata.namespace, pod.metadata.uid)


def eviction(name: str, namespace: str, uid: str) -> client.V1Eviction:
    """Return the request to evict exactly the pod with ``uid``."""
    options = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=uid))
    return client.V1Eviction(metadata=client.V1ObjectMeta(name=name, namespace=namespace), delete_options=options)


def refusal(error: ApiException) -> str:
    """Return the budget's own words in the answer to an eviction; empty: it was something else that said no."""
    said = message_of(error)
    if error.status == 429 or SEVERAL in said:
        return said
    return ""


def refused_now(platform: Platform, pod: Pod) -> str:
    """Ask by a server-side dry run whether a V1Pod might be evicted now; return why not, empty: it might. Raises ApiException."""
    try:
        platform.core.create_namespaced_pod_eviction(pod.metadata.name, pod.metadata.namespace, evicted(pod), dry_run="All")
    except ApiException as error:
        if error.status in {404, 409}:  # it is gone, or another of its name is there
            return ""
        if why := refusal(error):
            return why
        raise
    return ""


def budgets_of(platform: Platform, pod: Pod) -> list[Budget]:
    """Return the budgets that select a V1Pod; empty, too, where this account may not read them. Raises ApiException."""
    ours = [one for one in _listed(platform, pod.metadata.namespace) if selected(one.spec.selector, pod)]
    return [_budget(one, pod, platform.pods_in(pod.metadata.namespace, query_of(one.spec.selector))) for one in ours]


def held_for_ever(platform: Platform, pods: Iterable[Pod]) -> list[str]:
    """Return those of ``pods`` that no eviction ever takes away, as sentences.

    None where the budgets may not be read. Raises ApiException.
    """
    there = list(pods)
    budgets = {name: _listed(platform, name) for name in sorted({pod.metadata.namespace for pod in there})}
    found = [(pod, [one for one in budgets[pod.metadata.namespace] if selected(one.spec.selector, pod)]) for pod in there]
    why = [(pod, never_allowed([_budget(one, pod, []) for one in ours])) for pod, ours in found]
    return [f"pod {pod.metadata.namespace}/{pod.metadata.name}: {text}" for pod, text in why if text]


def budgets_in(platform: Platform, namespace: str) -> list[DisruptionBudget] | None:
    """Return the budgets of a namespace; None: this account may not read them. Raises ApiException."""
    api = client.PolicyV1Api(platform.api)
    found = unless_gone(lambda: unless_forbidden(lambda: listed(api.list_namespaced_pod_disruption_budget, namespace).items, None))
    return cast("list[DisruptionBudget] | None", found)


def _listed(platform: Platform, namespace: str) -> list[DisruptionBudget]:
    return budgets_in(platform, namespace) or []


def _budget(found: DisruptionBudget, pod: Pod, pods: list[Pod]) -> Budget:
    others = [one for one in pods if selected(found.spec.selector, one) and one.metadata.uid != pod.metadata.uid]
    at_work = [one for one in others if one.status.phase in {"Running", "Pending"}]
    status = found.status
    return Budget(found.metadata.name, status.desired_healthy, status.expected_pods, all(ready(one) for one in at_work))


def never_allowed(budgets: list[Budget]) -> str:
    """Return why a pod with these budgets is never evicted, however long one waits; empty: it may be."""
    names = ", ".join(one.name for one in budgets)
    if len(budgets) > 1:
        return f"the disruption budgets {names} both select it, and the API server evicts no pod that has more than one"
    return next((f"the disruption budget {one.name} {one.words}: it allows none to go" for one in budgets if one.never), "")
