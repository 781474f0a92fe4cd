"""Names of the target file that lead nowhere any more, without which no run can begin: the suite's own namespace, roles' controllers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from history.errors import TargetRefused
from kube.client import PARALLEL, Platform, api_errors, unless_forbidden, unless_gone
from kube.controllers.kinds import read_named
from kube.controllers.owners import found_by_owner


def check_own_namespace(platform: Platform) -> None:
    """Refuse if the suite has no namespace to keep its journal and its leases in. Raises TargetRefused."""
    name = platform.target.suite.namespace
    if not namespace_is_there(platform, name):
        make = f"make it: kubectl create namespace {name}"
        raise TargetRefused(f"the suite's own namespace {name} is not there; nothing was injected; {make}")


def namespace_is_there(platform: Platform, name: str) -> bool:
    """Tell whether a namespace is there; one that this account may not look at is taken to be. Raises TargetRefused: nobody can tell."""
    with api_errors(f"namespace {name}", TargetRefused):
        return unless_gone(lambda: unless_forbidden(lambda: bool(platform.core.read_namespace(name)), otherwise=True)) is not None


def check_controllers(platform: Platform) -> None:
    """Refuse if a lasting role names who makes its pods, and there is none of that name. Raises TargetRefused: with each of them."""
    named = [name for name, role in platform.target.roles.items() if role.controller is not None and not role.of_run]
    with ThreadPoolExecutor(PARALLEL) as pool:
        wrong = tuple(text for text in pool.map(lambda name: _controller_gone(platform, name), named) if text)
    if wrong:
        raise TargetRefused(f"target {platform.target.name}: {'; '.join(wrong)}; nothing was injected", parts=wrong)


def _controller_gone(platform: Platform, name: str) -> str:
    """Return that the controller of role ``name`` is not there, and whose its pods are instead; empty: it is there."""
    role = platform.target.role(name)
    meant = role.controller
    if meant is None:
        return ""
    with api_errors(f"role {name}: look for {meant.kind} {meant.name} in namespace {role.namespace}", TargetRefused):
        there = unless_gone(lambda: unless_forbidden(lambda: bool(read_named(platform, meant, role.namespace)), otherwise=True))
        if there is not None:
            return ""
        pods = platform.pods(name)
        others = ", ".join(str(one.reference) for one in found_by_owner(platform, role.namespace, pods))
    instead = f"its pods are of {others}" if others else f"{len(pods)} pods there carry {role.selector}"
    return f"role {name}: there is no {meant.kind} {meant.name} in namespace {role.namespace} ({instead}); correct its controller"
