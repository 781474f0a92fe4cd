"""One region of a target: a cluster, what of it may be touched, and what belongs to it alone."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from history.values import Written
from target.prometheus import Prometheus
from target.role import SELECTOR

CONTROLLER, DAEMON = (f"app.kubernetes.io/component={name}" for name in ("controller-manager", "chaos-daemon"))
"""Selectors of Chaos Mesh's own pods, as its Helm chart labels them."""


class Instrument(Written):
    """Something the measurement depends on; no fault may touch it or its node."""

    namespace: str
    selector: str = Field(min_length=3, pattern=SELECTOR)


class CommandDriver(Written):
    """A driver for machines or GPUs: commands with ``{node}``, ``{index}``, ``{seconds}`` filled in, run without a shell.

    ``fail`` must end by itself after ``{seconds}`` even if nobody is left: it is a board management controller's place.
    """

    driver: Literal["command"] = "command"
    fail: tuple[str, ...]
    repair: tuple[str, ...]
    fidelity: str = ""  # what a reviewer must know, e.g. "substitute device"


class ChaosMesh(Written):
    """Chaos Mesh of a cluster: what it can make is made by its objects, and no fault pod is ever started there."""

    namespace: str = "chaos-mesh"  # where its controller and its daemons run


class Region(Written):
    """One cluster of the platform."""

    context: str
    server: str = Field(pattern=r"^https?://.+")
    kubeconfig: str | None = None
    namespaces: tuple[str, ...] = Field(min_length=1)  # that faults may touch
    endpoints: dict[str, str] = Field(default_factory=dict)
    prometheus: Prometheus | None = None
    instruments: tuple[Instrument, ...] = ()
    machines: CommandDriver | None = None
    gpus: CommandDriver | None = None
    chaos_mesh: ChaosMesh | None = None
    shared_machine: str | None = None  # control group of the platform, if the suite runs on its machine: what others use there is watched
    zone_label: str = "topology.kubernetes.io/zone"
    gpu_resource: str = "nvidia.com/gpu"

    @property
    def all_instruments(self) -> tuple[Instrument, ...]:
        """The instruments, and Chaos Mesh's controller where its faults end only while that lives."""
        if self.chaos_mesh is None:
            return self.instruments
        return (*self.instruments, Instrument(namespace=self.chaos_mesh.namespace, selector=CONTROLLER))
