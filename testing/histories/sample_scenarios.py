"""The scenarios of the sample report: the nine first experiments, one of them over budget and one inconclusive."""

from __future__ import annotations

from history.plan import Expect, Floor
from history.schema import EventKind
from testing.histories.sample_plan import NODES, REPLICAS, Impact, Scenario, Step


def pod_lost(pod: str, gone_s: float, new: str, ready_s: float) -> tuple[Step, ...]:
    """Steps of a pod that is lost and replaced."""
    return (
        Step(gone_s, EventKind.ENDPOINT_OUT, pod),
        Step(gone_s, EventKind.POD_UNREADY, pod),
        Step(gone_s + 0.4, EventKind.POD_GONE, pod),
        Step(gone_s + 0.6, EventKind.POD_CREATED, new),
        Step(gone_s + 0.7, EventKind.POD_SCHEDULED, new, {"node": NODES[0]}),
        Step(gone_s + 1.9, EventKind.POD_STARTED, new, {"container": "api", "restarts": 0}),
        Step(ready_s, EventKind.POD_READY, new, {"node": NODES[0], "role": "inference"}),
        Step(ready_s + 0.3, EventKind.ENDPOINT_IN, new),
    )


def node_lost(node: str, notready_s: float, back_s: float) -> tuple[Step, ...]:
    """Steps of a node that goes and comes back."""
    return (Step(notready_s, EventKind.NODE_UNREADY, node), Step(back_s, EventKind.NODE_READY, node))


def unready(unready_s: float, out_s: float, ready_s: float, in_s: float) -> tuple[Step, ...]:
    """Steps of a pod that stays and is not ready for a while."""
    return (
        Step(unready_s, EventKind.POD_UNREADY, REPLICAS[0]),
        Step(out_s, EventKind.ENDPOINT_OUT, REPLICAS[0]),
        Step(ready_s, EventKind.POD_READY, REPLICAS[0], {"role": "inference"}),
        Step(in_s, EventKind.ENDPOINT_IN, REPLICAS[0]),
    )


NODE_GONE = (
    *node_lost(NODES[0], 41.0, 97.0),
    Step(41.2, EventKind.POD_UNREADY, REPLICAS[0]),
    Step(41.3, EventKind.ENDPOINT_OUT, REPLICAS[0]),
    *pod_lost(REPLICAS[0], 52.0, "inference-7c9d-d9fhk", 97.5),
)
DRAINED = (
    Step(0.1, EventKind.NODE_CORDONED, NODES[0]),
    *pod_lost(REPLICAS[0], 2.0, "inference-7c9d-zz8cq", 11.4),
    Step(33, EventKind.NODE_UNCORDONED, NODES[0]),
)
NODE_FLOOR = Floor(
    capacity_rto_s=49.0, dominant="node-monitor-grace-period",
    timers="eviction alone takes 29 s (node-monitor-grace-period 40 s, less 11 s since the last lease) + 20 s "
    "(tolerationSeconds of Deployment inference), the longest is node-monitor-grace-period",
    estimate="node-monitor-grace-period could not be read, so Kubernetes' smallest default of 40 s is taken",
)  # fmt: skip

REPLICA_KILLED = Scenario(
    id="serving/replica-killed", title="A serving replica is killed", impacts=(Impact(0.1, 2.3, 0.34),),
    steps=pod_lost(REPLICAS[0], 0.4, "inference-7c9d-m5v7d", 9.1),
)  # fmt: skip
ENGINE_KILLED = Scenario(
    id="serving/engine-killed", title="The engine process is killed inside its pod", action="kill-engine", effect="SIGKILL to the engine",
    impacts=(Impact(0.0, 4.6, 0.33, "503"),), steps=unready(1.2, 1.3, 6.8, 6.9),
)  # fmt: skip
ENGINE_FROZEN = Scenario(
    id="serving/engine-frozen", title="The engine freezes while its API stays green", tags=("serving", "I2"), action="freeze-engine",
    effect="SIGSTOP to the engine for 45 s", impacts=(Impact(0.0, 26.4, 0.34, "hang"), Impact(39.0, 39.6, 0.6, "hang")), green_s=14.2,
    ended_s=45.0, rto_budget_s=45, observed_s=58, steps=unready(15.0, 15.2, 45.6, 46.0),
)  # fmt: skip
GPU_LOST = Scenario(
    id="gpu/device-lost", title="A GPU falls off the bus", tags=("gpu", "G1"), action="gpu-fail", target=f"Node/{NODES[0]}",
    effect="device 0 unhealthy for 60 s", impacts=(Impact(0.05, 7.9, 0.33, "503"),), green_s=3.1, ended_s=60, observed_s=70,
    steps=(
        Step(0.8, EventKind.GPU_ALLOCATABLE, NODES[0], {"allocatable": 1, "capacity": 2}),
        *pod_lost(REPLICAS[0], 3.1, "inference-7c9d-n2r4t", 13.0),
        Step(60.4, EventKind.GPU_ALLOCATABLE, NODES[0], {"allocatable": 2, "capacity": 2}),
    ),
)  # fmt: skip
NODE_DRAINED = Scenario(
    id="nodes/drained", title="A node is cordoned and drained under load", tags=("nodes", "K3"), action="drain", target=f"Node/{NODES[0]}",
    effect="cordoned, pods evicted", steps=DRAINED, ended_s=33, observed_s=40,
)  # fmt: skip
NODE_OFF = Scenario(
    id="nodes/powered-off", title="A GPU node loses power", tags=("nodes", "K1"), action="power-off", target=f"Node/{NODES[0]}",
    effect="power off for 90 s", impacts=(Impact(0.0, 52.7, 0.33, "hang"),), ended_s=90, rto_budget_s=60, observed_s=110,
    steps=NODE_GONE, floor=NODE_FLOOR,
)  # fmt: skip
ZONE_LOST = Scenario(
    id="nodes/zone-lost", title="A whole zone loses power", tags=("nodes", "K2"), action="power-off-zone", target="Zone/zone-a",
    effect="cordoned, nodes powered off for 90 s", impacts=(Impact(0.0, 71.2, 0.34, "hang"), Impact(88.0, 94.1, 0.6, "refused")),
    ended_s=90, rto_budget_s=60, observed_s=112, steps=(*NODE_GONE, *node_lost("zone-a-cpu", 41.6, 97.3)), floor=NODE_FLOOR,
)  # fmt: skip
NULL = Scenario(
    id="controls/null", title="Null control: nothing is broken", tags=("controls", "X0"), fault="none", target="", rto_budget_s=30,
    observed_s=30,
)  # fmt: skip
SHAM = Scenario(
    id="controls/sham", title="Sham control: the same mechanism on a decoy", tags=("controls", "X0"), fault="sham",
    target="Pod/decoy-5d8f-x2x7p", observed_s=30, send_lag_ms=71,
)  # fmt: skip
UNCONFIRMED = Scenario(id="serving/replica-killed-unconfirmed", title="A fault without effect", confirmed_s=None)
NEVER_BACK = Scenario(id="serving/never-back", title="Users are never served again", impacts=(Impact(1.0, None),))

WEAK = Scenario(
    id="weak/no-health-check", title="Weak variant: the gateway has no health check", impacts=(Impact(0.0, 40.0, 0.33),), observed_s=55,
    expect=Expect(verdict="FAIL", check="rto"),
)  # fmt: skip
NINE = (REPLICA_KILLED, ENGINE_KILLED, ENGINE_FROZEN, GPU_LOST, NODE_DRAINED, NODE_OFF, ZONE_LOST, NULL, SHAM)
