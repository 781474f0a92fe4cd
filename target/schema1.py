"""Target files of schema 1: lifted to schema 2, one region called ``default``. A mistake still names key and line as the file has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from history.values import Seconds, Written
from target.mistakes import parse, sentence, unknown
from target.yaml_source import Keys, Located

Model = TypeVar("Model", bound=BaseModel)
REGION = ("regions", "default")
OF_REGION = (
    "context", "server", "kubeconfig", "namespaces", "endpoints", "instruments", "machines", "gpus", "shared_machine",
    "zone_label", "gpu_resource",
)  # fmt: skip
OF_SUITE = {"suite_namespace": "namespace", "suite_image": "image", "fault_image": "fault_image"}
SAME = ("name", "consent_label", "limits", "stop_when", "blackouts", "fidelity")
OF_ROLE = ("namespace", "selector", "service", "container", "of_run", "object_store")
MOVED_OF_ROLE = {
    "deployment": ("controller", "name"),
    "port": ("health", "port"),
    "health": ("health", "path"),
    "engine": ("process", "match"),
}
OF_WORKLOAD = ("role", "slo", "budgets", "load", "steady_state")
OF_JOB = ("template", "ledger", "storage", "settings")
Place = tuple[str | int, ...]
Mistake = tuple[Place, str]
Lift = Callable[[dict[str, Any], "Lifted", Place], Iterator[Mistake]]


class Balancer(Written):
    """How the load balancer in front of the cluster checks what is behind it. Nothing reads it any more; files that say it stay valid."""

    interval: Seconds
    fall: int = Field(gt=0)
    timeout: Seconds


@dataclass(frozen=True, slots=True)
class Lifted(Located):
    """A file of schema 1 as data of schema 2; ``moved`` says where what stands in the file."""

    moved: dict[Place, Place] = field(default_factory=dict)

    def written(self, keys: Keys) -> Keys:
        """Return ``keys`` of the data as the file spells them."""
        keys = tuple(keys)
        for length in range(len(keys), 0, -1):
            if (there := self.moved.get(keys[:length])) is not None:
                return (*there, *keys[length:])
        return keys

    def put(self, to: Place, value: object, of: Place) -> None:
        """Put ``value``, which stands at ``of`` in the file, to its place in schema 2."""
        place: dict[Any, Any] = self.data
        for key in to[:-1]:
            place = place.setdefault(key, {})
        place[to[-1]] = value
        self.moved[to] = of


def is_schema1(data: dict[str, Any]) -> bool:
    """Tell whether a file says that it is of schema 1."""
    return data.get("schema") == 1 and not isinstance(data["schema"], bool)


def parsed(located: Located, model: type[Model]) -> Model:
    """Return a file of schema 1 as ``model``, the target of schema 2. Raises ConfigError, as :func:`target.mistakes.parse` does."""
    made = Lifted(located.path, {"schema": 2}, located.root, {REGION: ()} | {("suite", name): (key,) for key, name in OF_SUITE.items()})
    mistakes = [sentence(located, keys, what) for keys, what in _lift(located.data, made)]
    if located.data.get("balancer") is not None:
        parse(located, Balancer, located.data["balancer"], ("balancer",))
    return parse(made, model, made.data, known=mistakes)


def _lift(raw: dict[str, Any], made: Lifted) -> Iterator[Mistake]:
    """Move every key to its place in schema 2; yield what schema 1 does not know."""
    yield from _unknown(raw, {"schema", "balancer", "prometheus", "roles", "workloads", *OF_REGION, *OF_SUITE, *SAME}, ())
    made.data["regions"] = {"default": {}}
    for keys, place in ((OF_REGION, REGION), (SAME, ())):
        for key in raw.keys() & set(keys):
            made.put((*place, key), raw[key], (key,))
    for key in raw.keys() & OF_SUITE.keys():
        made.put(("suite", OF_SUITE[key]), raw[key], (key,))
    yield from _lift_prometheus(raw, made)
    yield from _lift_each(raw, made, "roles", _lift_role)
    yield from _lift_each(raw, made, "workloads", _lift_workload)


def _lift_prometheus(raw: dict[str, Any], made: Lifted) -> Iterator[Mistake]:
    """Give the region the endpoint that ``prometheus`` names; one of that name is no endpoint of its own unless a load asks it."""
    name, endpoints = raw.get("prometheus"), raw.get("endpoints")
    if name is None or not isinstance(endpoints, dict):
        return
    if not isinstance(name, str) or name not in endpoints:
        yield ("prometheus",), f"{name!r} is not under endpoints"
        return
    made.moved[*REGION, "prometheus"] = ("prometheus",)
    made.put((*REGION, "prometheus", "url"), endpoints[name], ("endpoints", name))
    if name == "prometheus" and name not in _asked(raw.get("workloads")):
        others = {key: url for key, url in endpoints.items() if key != name}
        made.put((*REGION, "endpoints"), others, ("endpoints",))


def _asked(workloads: object) -> list[object]:
    loads = [one.get("load") for one in workloads.values() if isinstance(one, dict)] if isinstance(workloads, dict) else []
    return [load.get("endpoint") for load in loads if isinstance(load, dict)]


def _lift_each(raw: dict[str, Any], made: Lifted, kind: str, lift: Lift) -> Iterator[Mistake]:
    """Lift each role, or each workload; what is no mapping is left for the model to refuse."""
    if not isinstance(raw.get(kind), dict):
        made.data.update({kind: raw[kind]} if kind in raw else {})
        return
    made.data[kind] = {}
    for name, value in raw[kind].items():
        made.data[kind][name] = {} if isinstance(value, dict) else value
        if isinstance(value, dict):
            yield from lift(value, made, (kind, name))


def _lift_role(raw: dict[str, Any], made: Lifted, at: Place) -> Iterator[Mistake]:
    yield from _unknown(raw, {*OF_ROLE, *MOVED_OF_ROLE}, at)
    for key in raw.keys() & set(OF_ROLE):
        made.put((*at, key), raw[key], (*at, key))
    for key, to in MOVED_OF_ROLE.items():
        asked = key != "health" or raw.get("port") is not None  # a path without a port was never asked
        if raw.get(key) not in (None, "") and asked:
            made.put((*at, *to), raw[key], (*at, key))


def _lift_workload(raw: dict[str, Any], made: Lifted, at: Place) -> Iterator[Mistake]:
    yield from _unknown(raw, {*OF_WORKLOAD, "training"}, at)
    for key in raw.keys() & set(OF_WORKLOAD):
        made.put((*at, key), raw[key], (*at, key))
    job = raw.get("training")
    made.put((*at, "kind"), "requests" if job is None else "training", (*at, "training"))
    if job is not None:
        made.put((*at, "job"), job, (*at, "training"))
        yield from _unknown(job, OF_JOB, (*at, "training")) if isinstance(job, dict) else ()


def _unknown(raw: dict[str, Any], known: Iterable[str], at: Place) -> Iterator[Mistake]:
    known = set(known)
    return (((*at, key), unknown(known)) for key in raw if key not in known)
