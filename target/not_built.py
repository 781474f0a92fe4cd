"""What a target file can say and the suite cannot do yet. It is refused by name: what is ignored would be believed.

Of a class of workload, the model of its kind says it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from target.engines import ENGINES
from target.mistakes import Refusal
from target.role import KINDS, Role

if TYPE_CHECKING:
    from target.target import Target

STACKS = ("serving", "training")  # parts of the reference platform: workloads/manifests


def not_built(target: Target) -> Iterator[Refusal]:
    """Yield each thing that ``target`` asks for and the suite has not: its keys, and a sentence."""
    for name, role in target.roles.items():
        yield from ((("roles", name, *keys), sentence) for keys, sentence in _of_role(role))
    for name, stack in target.stacks.items():
        if name not in STACKS:
            yield ("stacks", name), f"nobody ships this stack; shipped are {', '.join(STACKS)}"
        elif stack.owned:
            yield ("stacks", name, "owned"), "the suite does not deploy or reset a stack of a target yet; write owned: false"


def _of_role(role: Role) -> Iterator[Refusal]:
    if role.controller is not None and role.controller.kind not in KINDS and role.controller.resource is None:
        kind = role.controller.kind
        yield (
            ("controller", "kind"),
            f"{kind} is none of {', '.join(KINDS)}; write how its scale is asked for, as kubectl api-resources names it "
            f"(resource: {kind.lower()}s.GROUP), or leave controller out: whoever owns the pods is found",
        )
    if role.adapter is not None and role.adapter not in ENGINES:
        yield ("adapter",), f"no engine {role.adapter!r} is known; known are {', '.join(ENGINES)}; or write process and metrics"
    if role.process is not None and role.worker is None:
        yield ("process",), "it says of no process which it is; write match, title, listens or child_of"
    if role.health is not None and role.health.ask is not None:
        yield ("health",), "asking as the kubelet does is not built for the history's health yet; write port and path, or leave it out"
    if role.scratch:
        yield ("scratch",), "no experiment destroys a role for this yet; leave it out"
    if role.credentials is not None:
        yield ("credentials",), "nothing asks a role's servers with credentials yet; leave it out"
