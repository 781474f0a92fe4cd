"""The table of mutated runs. A case is a row: what is broken, and what the verdict must say of it. Adding a case is adding a row."""

# ruff: noqa: E501 - a row is a line

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

PASS, INCONCLUSIVE, FAIL, REFUSED = "PASS", "INCONCLUSIVE", "FAIL", "refused"
MEMORY, PLATFORM = "memory", "platform"  # where a case is carried out
BROKEN_LOAD = "AFTERSHOCK_BROKEN_LOAD"
"""Environment variable: which of ``bench.mutations.loads`` takes the place of the real load."""


@dataclass(frozen=True, slots=True)
class Case:
    """One mutated run, or a twin (nothing mutated, ``verdict`` PASS).

    ``fault``, ``probe``, ``evidence`` and ``load`` name mutations of :mod:`bench.mutations`; ``role``, ``count`` what is killed (``freeze``:
    an engine is frozen for 14 s instead); ``target`` and ``extension`` change those files. ``check`` must say ``words``.
    """

    name: str
    part: str  # what is broken: fault, probe, load; twin
    verdict: str = INCONCLUSIVE
    check: str = ""
    words: str = ""
    fault: str = "honest"
    probe: str = "honest"
    evidence: str = "honest"
    load: str = ""
    role: str = "decoy"
    count: int = 1
    freeze: bool = False
    watched: bool = False  # only watches of a cluster show it
    target: dict[str, Any] = field(default_factory=dict)  # changes to the load of the class
    queue: dict[str, Any] = field(default_factory=dict)  # arguments of a hypothesis probe on the queue; none: no such probe
    extension: dict[str, Any] = field(default_factory=dict)


FAULTS = (
    Case("a no-op that says it killed", "fault", check="evidence", words="decoy-gone never saw it", fault="no-op"),
    Case("it kills another pod and names the planned one", "fault", check="evidence", words="never saw it", fault="wrong target"),
    Case("it kills another pod too, and names that one", "fault", check="fault", words="which the plan does not name", fault="wrong target, and says so"),
    Case("it kills 1 of 2 and says both", "fault", check="evidence", words="never saw it", fault="partial", count=2, extension={"allow": {"last_replica": True}}),
    Case("it says that it killed 1 of 2", "fault", check="fault", words="it acted on 1 of 2 planned targets", fault="partial, and says so", count=2, extension={"allow": {"last_replica": True}}),
    Case("2 of 3 targets are hit", "fault", check="fault", words="it acted on 2 of 3 planned targets", fault="partial, and says so", role="gateway", count=3, extension={"allow": {"last_replica": True}}),
    Case("it raises 403 after the fault was stamped", "fault", check="fault", words="kill failed (kill: (403)", fault="raises"),
    Case("it returns no target", "fault", check="fault", words="without naming a target", fault="names nothing"),
    Case("it stamps the fault 1.5 s after its effect", "fault", check="fault", words="before the fault is said to have begun", fault="stamps late", watched=True),
    Case("it never stamps the fault", "fault", check="fault", words="nothing was injected", fault="never stamps"),
    Case("it hangs", "fault", check="stopped", words="phase inject has lasted", fault="hangs"),
    Case("a freeze is healed at once", "fault", check="evidence", words="engine-frozen never saw it", fault="healed at once", freeze=True),
    Case("a freeze of 14 s is healed after 4 s", "fault", check="evidence", words="engine-frozen did not see it any more", fault="healed early", freeze=True),
)  # fmt: skip
PROBES = (
    Case("evidence that is always true, and a no-op", "probe", check="evidence", words="decoy-gone saw it before the fault began", fault="no-op", evidence="always true"),
    Case("evidence that is always false", "probe", check="evidence", words="decoy-gone never saw it", evidence="always false"),
    Case("evidence that raises", "probe", check="evidence", words="decoy-gone never saw it", evidence="raises"),
    Case("evidence that is None", "probe", check="evidence", words="decoy-gone never saw it", evidence="None"),
    Case("evidence that is the text True", "probe", check="evidence", words="decoy-gone never saw it", evidence="text"),
    Case("evidence that is a number", "probe", check="evidence", words="decoy-gone never saw it", evidence="a number"),
    Case("a hypothesis probe that is constant", "probe", check="hypothesis", words="latency stood still at 83.25", probe="constant"),
    Case("one that freezes at the fault", "probe", check="hypothesis", words="latency stood still at", probe="freezes", extension={"hold": "12s"}),
    Case("one that raises", "probe", check="baseline", words="latency had no data", probe="raises"),
    Case("one that raises from the fault on", "probe", check="hypothesis", words="latency had no data at the end", probe="raises later"),
    Case("one that hangs from the fault on", "probe", check="stopped", words="phase observe has lasted", probe="hangs"),
    Case("one that is None", "probe", check="baseline", words="latency had no data", probe="None"),
    Case("one that is None from the fault on", "probe", check="hypothesis", words="latency had no data at the end", probe="None later"),
    Case("one that is NaN from the fault on", "probe", check="hypothesis", words="latency had no data at the end", probe="NaN later"),
    Case("one that is infinite from the fault on", "probe", check="hypothesis", words="latency had no data at the end", probe="infinite later"),
    Case("one that becomes a text", "probe", verdict=FAIL, check="hypothesis", words="latency", probe="text later"),
    Case("one that becomes true", "probe", verdict=FAIL, check="hypothesis", words="latency", probe="true later"),
    Case("one that becomes a list", "probe", verdict=FAIL, check="hypothesis", words="latency", probe="a list later"),
    Case("a series that was renamed", "probe", REFUSED, REFUSED, words="has no vllm:num_requests_queued; it has", queue={"metric": "vllm:num_requests_queued"}),
    Case("a series of a namespace that is not there", "probe", REFUSED, REFUSED, words='but not with {namespace="nobody"}', queue={"labels": 'namespace="nobody"'}),
)  # fmt: skip
LOADS = (
    Case("the load is killed a second after the fault", "load", check="stopped", words="the generator ended by itself", fault="load killed"),
    Case("it hangs for good", "load", check="load", words="", fault="load hung"),
    Case("it hangs for 2 s", "load", check="load", words="was silent for", fault="load hung for 2 s"),
    Case("half the rate", "load", check="load", words="requests/s were scheduled, the plan says", load="half rate"),
    Case("a closed loop of one user", "load", check="load", words="requests left late", load="closed loop"),
    Case("its cap on requests in flight is 1", "load", check="load", words="its cap on requests in flight was hit", target={"in_flight_cap": 1}),
    Case("it loses one row of 40", "load", check="history", words="no row", load="forgets rows"),
    Case("it checks no answer", "load", check="rpo_requests", words="could not be checked", load="checks no answer"),
    Case("it gives no account of itself", "load", check="load", words="0 of 1 load worker gave an account", load="gives no account"),
    Case("it ends before users were watched for a hold", "load", check="stopped", words="the generator ended by itself", load="ends early"),
)  # fmt: skip
TWINS = (
    Case("twin: a decoy is killed", "twin", PASS),
    Case("twin: both decoys are killed", "twin", PASS, count=2, extension={"allow": {"last_replica": True}}),
    Case("twin: an engine is frozen for 14 s", "twin", PASS, freeze=True),
    Case("twin: a probe on the queue, by its name", "twin", PASS, queue={"labels": 'namespace="${inference_namespace}"'}),
    Case("twin: two load workers", "twin", PASS, target={"workers": 2}),
)  # fmt: skip
CASES = (*TWINS, *(case for cases in zip_longest(FAULTS, LOADS, PROBES) for case in cases if case))
"""In this order, so that a campaign that is cut short has seen something of every part."""
