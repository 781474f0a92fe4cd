"""What a target file can say and the suite cannot do yet. It is refused by name: what is ignored would be believed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from target.role import ADAPTERS, Role
from target.workload import PARTS, Connections, State, WorkloadClass
from target.yaml_source import Keys

if TYPE_CHECKING:
    from target.target import Target

Refusal = tuple[Keys, str]
CONTROLLERS = ("Deployment", "StatefulSet")
STACKS = ("serving", "training")  # parts of the reference platform: workloads/manifests


def not_built(target: Target) -> Iterator[Refusal]:
    """Yield each thing that ``target`` asks for and the suite has not: its keys, and a sentence."""
    for name, role in target.roles.items():
        yield from ((("roles", name, *keys), sentence) for keys, sentence in _of_role(role))
    for name, workload in target.workloads.items():
        yield from ((("workloads", name, *keys), sentence) for keys, sentence in _of_workload(workload))
    for name, stack in target.stacks.items():
        if name not in STACKS:
            yield ("stacks", name), f"nobody ships this stack; shipped are {', '.join(STACKS)}"
        elif stack.owned:
            yield ("stacks", name, "owned"), "the suite does not deploy or reset a stack of a target yet; write owned: false"


def _of_role(role: Role) -> Iterator[Refusal]:
    if role.controller is not None and role.controller.kind not in CONTROLLERS:
        yield ("controller", "kind"), f"{role.controller.kind} is not read yet; read are {', '.join(CONTROLLERS)}; or write replicas"
    if role.adapter is not None and role.adapter not in ADAPTERS:
        yield ("adapter",), f"there is no adapter {role.adapter!r} yet; there is {', '.join(ADAPTERS)}; or write process and metrics"
    if role.process is not None:
        unknown = [key for key in ("listens", "child_of") if getattr(role.process, key) is not None]
        unknown += ["pick"] if role.process.pick != "only" else []
        yield from ((("process", key), "a process is found by match alone as yet, and must be the only one") for key in unknown)
    if role.health is not None and role.health.ask is not None:
        yield ("health",), "asking as the kubelet does is not built for the history's health yet; write port and path, or leave it out"
    for key in ("drain_budget", "not_drainable", "scratch"):
        if getattr(role, key):
            yield (key,), "no experiment drains or destroys a role for this yet; leave it out"
    if role.credentials is not None:
        yield ("credentials",), "nothing asks a role's servers with credentials yet; leave it out"


def _of_workload(workload: WorkloadClass) -> Iterator[Refusal]:
    if workload.kind not in PARTS:
        yield ("kind",), f"no driver for {workload.kind} is built yet; built are {', '.join(PARTS)}"
    if workload.answers.mode != "exact":
        yield ("answers", "mode"), "answers are compared exactly as yet, where the prompt's completion is known; leave it out"
    if workload.answers.may_differ:
        yield ("answers", "may_differ"), "no answer may differ as yet; leave it out"
    yield from _of_connections(workload.connections)
    yield from _of_state(workload.state)
    if workload.job is not None and workload.job.kind != "CronJob":
        yield ("job", "kind"), f"a job is made of a suspended CronJob as yet, not of a {workload.job.kind}"
    if workload.requests_load is not None:
        form = workload.requests_load.request
        if form.api != "completions":
            yield ("load", "request", "api"), f"the load speaks completions as yet, not {form.api}"
        if form.auth is not None:
            yield ("load", "request", "auth"), "the load sends a key as a bearer token alone as yet; write api_key_env"


def _of_connections(connections: Connections) -> Iterator[Refusal]:
    if connections.mode != "shared":
        yield (
            ("connections", "mode"),
            "the load's requests share connections as yet, as old as connection_max_age; leave it out",
        )
    elif connections.users is not None:
        yield ("connections", "users"), "simulated users are not built yet; leave it out"


def _of_state(state: State) -> Iterator[Refusal]:
    if state.mode != "exact":
        yield ("state", "mode"), "a training job's state is compared bit by bit as yet; leave it out"
    elif state.losses is not None:
        yield ("state", "losses"), "a training job's state is compared bit by bit as yet, whatever its losses; leave it out"
