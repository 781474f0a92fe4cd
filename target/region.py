"""One region of a target: a cluster, what of it may be touched, and what belongs to it alone."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from history.values import Written
from target.alerts import Alerts
from target.prometheus import Prometheus
from target.role import SELECTOR

CONTROLLER, DAEMON = (f"app.kubernetes.io/component={name}" for name in ("controller-manager", "chaos-daemon"))
"""Selectors of Chaos Mesh's own pods, as its Helm chart labels them."""
EMBEDDED = "aftershock-"  # how contexts of embedded clusters begin


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


class ControlPlaneDriver(Written):
    """Who stops parts of the control plane: commands as of :class:`CommandDriver`, with ``{part}`` and ``{seconds}``, or ``embedded``.

    ``embedded`` is the power controller of a cluster that this machine runs itself (``python -m cluster``), and can stop no other.
    """

    driver: Literal["command", "embedded"] = "command"
    fail: tuple[str, ...] = ()
    repair: tuple[str, ...] = ()
    fidelity: str = ""

    @model_validator(mode="after")
    def _has_its_commands(self) -> Self:
        """Refuse commands where the embedded driver has its own, and a command driver without."""
        if self.embedded and (self.fail or self.repair):
            raise ValueError("driver embedded has its own commands; leave fail and repair out")
        if not self.embedded and not (self.fail and self.repair):
            raise ValueError("fail and repair are required: the commands that stop {part} for {seconds}, and let it start again")
        return self

    @property
    def embedded(self) -> bool:
        """Whether the cluster is this machine's own."""
        return self.driver == "embedded"

    def commands(self, context: str) -> CommandDriver:
        """Return the commands for the cluster of a context."""
        if not self.embedded:
            return CommandDriver(fail=self.fail, repair=self.repair, fidelity=self.fidelity)
        cluster = ("{python}", "-m", "cluster", "--name", context.removeprefix(EMBEDDED))
        return CommandDriver(
            fail=(*cluster, "control-plane-stop", "{part}", "--for", "{seconds}s"),
            repair=(*cluster, "control-plane-start", "{part}"),
            fidelity=self.fidelity,
        )


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
    alerts: Alerts | None = None  # rules of this Prometheus that must tell of failures
    instruments: tuple[Instrument, ...] = ()
    machines: CommandDriver | None = None
    gpus: CommandDriver | None = None
    control_plane: ControlPlaneDriver | None = None
    chaos_mesh: ChaosMesh | None = None
    shared_machine: str | None = None  # control group of the platform, if the suite runs on its machine: what others use there is watched
    zone_label: str = "topology.kubernetes.io/zone"
    gpu_resource: str = "nvidia.com/gpu"

    @property
    def embedded(self) -> bool:
        """Whether it is a cluster that ``python -m cluster`` runs on this machine: its context says so, and its processes are here."""
        return self.context.startswith(EMBEDDED) and self.shared_machine is not None

    @model_validator(mode="after")
    def _embedded_here(self) -> Self:
        """Refuse the embedded driver for a cluster that is none of this machine's."""
        if self.control_plane is not None and self.control_plane.embedded and not self.context.startswith(EMBEDDED):
            raise ValueError(
                f"control_plane: driver embedded is for contexts {EMBEDDED}NAME of clusters that python -m cluster started, not for "
                f"{self.context}; write driver: command with your own commands, or leave control_plane out"
            )
        return self

    @property
    def control_plane_driver(self) -> CommandDriver | None:
        """The commands that stop and start parts of the control plane; None: there are none."""
        return None if self.control_plane is None else self.control_plane.commands(self.context)

    @property
    def all_instruments(self) -> tuple[Instrument, ...]:
        """The instruments, and Chaos Mesh's controller where its faults end only while that lives."""
        if self.chaos_mesh is None:
            return self.instruments
        return (*self.instruments, Instrument(namespace=self.chaos_mesh.namespace, selector=CONTROLLER))
