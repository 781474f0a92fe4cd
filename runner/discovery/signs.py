"""By what a workload is recognised, as data: labels, images, commands and metrics say it; ports and containers only bear it out.

Nothing of a command line but what a sign matched is ever repeated: it may hold a credential.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from runner.discovery.workloads import Workload

Part = Literal["engine", "gateway", "storage", "features", "tracking", "queue", "prometheus", "training"]
WEIGHTS = {"metric": 4, "command": 4, "image": 3, "label": 2, "port": 0, "container": 0}


@dataclass(frozen=True, slots=True)
class Signs:
    """Each is one of several: regular expressions, found anywhere in an image or a command line.

    ``labels``: of each mapping all keys must be there, with a value that its expression is all of. ``metrics``: how names begin that a
    server has on its own /metrics, or that Prometheus has of it.
    """

    labels: tuple[Mapping[str, str], ...] = ()
    images: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    containers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What the suite knows of a project. ``adapter``: one of :data:`target.engines.ENGINES`.

    ``port``, ``health``: where its users ask, and where it says that it is well, if its manifests do not say. ``api``: what a load speaks.
    ``path``: what its endpoint begins with. ``remark``: what a person should know of it.
    """

    name: str
    part: Part
    signs: Signs
    adapter: str | None = None
    port: int | None = None
    health: str | None = None
    api: Literal["completions", "chat", "triton", ""] = ""
    path: str = ""
    remark: str = ""


class Match(NamedTuple):
    """A workload is what is ``known``, because of ``reasons``; ``weight``: how sure that is."""

    known: Known
    reasons: tuple[str, ...]
    weight: int


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything that is known, in the order in which it was registered."""

    known: list[Known] = field(default_factory=list)

    def register(self, *known: Known) -> None:
        """Let these be recognised. Raises ValueError: one of that name is there."""
        for one in known:
            if any(one.name == other.name for other in self.known):
                raise ValueError(f"{one.name} is registered twice")
            self.known.append(one)

    def matches(self, workload: Workload, metrics: Collection[str] = ()) -> list[Match]:
        """Return all that a workload may be, the surest first."""
        found = [match for known in self.known if (match := _match(known, workload, metrics))]
        return sorted(found, key=lambda match: -match.weight)


def _match(known: Known, workload: Workload, metrics: Collection[str]) -> Match | None:
    reasons = list(_reasons(known.signs, workload, metrics))
    weight = sum(WEIGHTS[kind] for kind in {kind for kind, _ in reasons})
    return Match(known, tuple(text for _, text in reasons), weight) if weight else None


def _reasons(signs: Signs, workload: Workload, metrics: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield of which kind each sign is that a workload has, and the sign in words."""
    for wanted in signs.labels:
        if all(re.fullmatch(value, workload.labels.get(key, "")) for key, value in wanted.items()):
            yield "label", "label " + ",".join(f"{key}={workload.labels[key]}" for key in wanted)
    containers = workload.sample.spec.containers
    yield from (("image", f"image {hit}") for one in containers if (hit := _image(signs.images, one.image or "")))
    for one in containers:
        line = " ".join([*(one.command or []), *(one.args or [])])
        if hit := next((found[0] for sign in signs.commands if (found := re.search(sign, line))), ""):
            yield "command", f"command {hit}"
    if named := sorted(name for name in metrics if name.startswith(signs.metrics)) if signs.metrics else []:
        yield "metric", f"metric {named[0]}"
    ports = {int(port.container_port) for one in containers for port in one.ports or []}
    yield from (("port", f"port {port}") for port in signs.ports if port in ports)
    yield from (("container", f"container {one.name}") for one in containers if one.name in signs.containers)


def _image(signs: Iterable[str], image: str) -> str:
    return image if any(re.search(sign, image) for sign in signs) else ""
