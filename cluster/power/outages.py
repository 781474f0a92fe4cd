"""What the power controller remembers: which nodes are off, which GPUs are lost, what of the control plane is down, and until when.

Counted on a monotonic clock; controller.py makes it happen. Deadlines are on disk before the effect, so that a
restarted controller goes on where the last one stopped.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

from cluster.errors import ClusterError
from cluster.state import State, boot_id, read_json, write_atomic

LONGEST_S = 3600.0


@dataclass(frozen=True, slots=True)
class Outage:
    """A node (`gpu` is None) or one of its GPUs is out until `deadline_s` on the machine's monotonic clock; `until` says it in UTC.

    With `part`, `node` names a part of the control plane instead.
    """

    node: str
    gpu: int | None
    deadline_s: float
    until: str
    part: bool = False


@dataclass(slots=True)
class Outages:
    """All outages of a cluster."""

    current: dict[tuple[str, int | None], Outage] = field(default_factory=dict)

    def begin(self, node: str, gpu: int | None, for_s: float, now_s: float, *, part: bool = False) -> Outage:
        """Note an outage, or give one that is there a new end; raise ClusterError if it would last longer than an hour."""
        if not 0 < for_s <= LONGEST_S:
            raise ClusterError(f"an outage of {for_s:g} s is refused: give --for a duration of up to {LONGEST_S:g} s.")
        until = (datetime.now(UTC) + timedelta(seconds=for_s)).isoformat(timespec="milliseconds")
        outage = Outage(node, gpu, now_s + for_s, until, part)
        self.current[node, gpu] = outage
        return outage

    def end(self, node: str, gpu: int | None) -> None:
        """Forget an outage."""
        self.current.pop((node, gpu), None)

    def due(self, now_s: float) -> list[Outage]:
        """Return the outages whose time is over, the oldest first."""
        return sorted((o for o in self.current.values() if o.deadline_s <= now_s), key=lambda o: o.deadline_s)

    def next_deadline_s(self) -> float | None:
        """Return when the next outage ends."""
        return min((o.deadline_s for o in self.current.values()), default=None)

    def nodes_off(self) -> set[str]:
        """Return the nodes that are meant to be off."""
        return {o.node for o in self.current.values() if o.gpu is None and not o.part}

    def parts_down(self) -> dict[str, str]:
        """Return the parts of the control plane that are meant to be down, and until when (UTC)."""
        return {o.node: o.until for o in list(self.current.values()) if o.part}

    def failed_gpus(self, node: str) -> set[int]:
        """Return the numbers of the node's GPUs that are meant to be lost."""
        return {o.gpu for o in self.current.values() if o.node == node and o.gpu is not None}


def now_s() -> float:
    """Return the machine's monotonic clock, which all processes share and which nobody sets."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def save(state: State, known: Outages) -> None:
    """Write the outages to disk."""
    write_atomic(state.power_file, dump(known.current.values()))


def dump(outages: Iterable[Outage]) -> str:
    """Return outages as JSON text."""
    return json.dumps({"boot_id": boot_id(), "outages": [asdict(o) for o in outages]}, indent=1)


def load(state: State) -> Outages:
    """Return the outages as last saved; none if the machine has booted since."""
    noted = read_json(state.power_file)
    if noted.get("boot_id") != boot_id():
        return Outages()
    outages = [Outage(**o) for o in noted["outages"]]
    return Outages({(o.node, o.gpu): o for o in outages})
