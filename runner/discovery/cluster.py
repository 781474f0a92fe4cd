"""A cluster of which nothing is known but a context of the kubeconfig: connected, and its version."""

from __future__ import annotations

from dataclasses import dataclass

from history.errors import TargetRefused
from kube.client import Platform, api_errors, clock_offset_s, platform_over
from kube.connection.bounded_client import BoundedClient
from kube.connection.configuration import configuration_of
from kube.connection.errors import KubeconfigRefused
from kube.connection.kubeconfig import current_context, read_entry
from target.target import Target

NOBODY = "none"  # a target file's name and namespace where there is no target file as yet


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a context leads. ``namespace``: the one in which it works; ``platform`` is of a target file that allows nothing."""

    context: str
    server: str
    namespace: str
    platform: Platform


def open_cluster(context: str | None) -> Cluster:
    """Return the cluster of a context, of the current one if it is left out.

    Raises:
        TargetRefused: the kubeconfig or its context cannot be used, or the server does not answer.

    """
    try:
        name = context or current_context(None)
        entry, configuration = read_entry(None, name), configuration_of(None, name)
    except KubeconfigRefused as error:
        raise TargetRefused(f"discover: {error}; nothing was asked") from error
    api, server = BoundedClient(configuration), configuration.host.rstrip("/")
    with api_errors(f"context {name}: {server}", TargetRefused):
        offset_s = clock_offset_s(api)
    return Cluster(name, server, entry.namespace or "default", platform_over(_allows_nothing(name, server), api, offset_s))


def _allows_nothing(context: str, server: str) -> Target:
    region = {"context": context, "server": server, "namespaces": [NOBODY]}
    return Target.model_validate({"schema": 2, "name": NOBODY, "regions": {"default": region}, "roles": {}, "workloads": {}})
