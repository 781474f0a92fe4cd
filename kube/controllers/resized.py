"""Who changed how many replicas a role should have, while a run went on: the API server's own record, and what an autoscaler said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import cast

from kubernetes import client
from kubernetes.client import CoreV1Event

from kube.client import Platform, unless_forbidden, unless_gone
from kube.controllers.kinds import Controller
from kube.lists.paging import METADATA_PAGE, listed
from kube.objects import KubeEvent

AUTOSCALER, RESCALED = "HorizontalPodAutoscaler", "SuccessfulRescale"


def who_resized(platform: Platform, namespace: str, controllers: Iterable[Controller], since: datetime) -> str:
    """Return in words who last set the number of ``controllers``, and what an autoscaler said of it since ``since``. Raises ApiException.

    Empty: nobody can be named. An autoscaler is asked about by its events alone where the account may not read autoscalers.
    """
    by = [f"by {one.set_by}" for one in controllers if one.set_by]
    return "; ".join([*by, *_said(platform, namespace, list(controllers), since)])


def _said(platform: Platform, namespace: str, controllers: list[Controller], since: datetime) -> Iterator[str]:
    """Yield what each autoscaler last said of a change of its own."""
    selector = f"involvedObject.kind={AUTOSCALER},reason={RESCALED}"
    asked = partial(listed, platform.core.list_namespaced_event, namespace, page=METADATA_PAGE, field_selector=selector)
    events = cast("list[KubeEvent]", unless_forbidden(lambda: asked().items, list[CoreV1Event]()))
    latest: dict[str, KubeEvent] = {}
    for event in sorted(events, key=_at):
        about = event.involved_object
        if (about.kind, event.reason) == (AUTOSCALER, RESCALED) and _at(event) >= since.timestamp():
            latest[str(about.name)] = event
    others = _of_others(platform, namespace, controllers) if latest else frozenset[str]()
    yield from (f"{AUTOSCALER} {name} said: {event.message}" for name, event in latest.items() if name not in others)


def _at(event: KubeEvent) -> float:
    """Return when an Event last happened (s since the epoch; whole seconds are all that Kubernetes keeps of it)."""
    when = event.last_timestamp or event.event_time or event.metadata.creation_timestamp
    return when.timestamp() if when else 0.0


def _of_others(platform: Platform, namespace: str, controllers: Iterable[Controller]) -> frozenset[str]:
    """Return the autoscalers that scale something else, as far as this account may read them."""
    ours = {(one.reference.kind, one.reference.name) for one in controllers}
    found = unless_forbidden(lambda: autoscalers(platform, namespace), dict[str, tuple[str, str]]())
    return frozenset(name for name, scaled in found.items() if scaled not in ours)


def autoscalers(platform: Platform, namespace: str) -> dict[str, tuple[str, str]]:
    """Return the autoscalers of a namespace by name, each with the kind and the name of what it scales.

    None where the API server knows no autoscalers. Raises ApiException.
    """
    api = client.AutoscalingV2Api(platform.api)
    found = unless_gone(lambda: listed(api.list_namespaced_horizontal_pod_autoscaler, namespace).items) or []
    scaled = [(str(one.metadata.name), one.spec.scale_target_ref) for one in found if one.metadata and one.spec]
    return {name: (target.kind, target.name) for name, target in scaled}
