"""Evidence about networks: who can be reached, asked from outside the node; whom DNS answers, and who sends again, asked from inside."""

from __future__ import annotations

from typing import NamedTuple

from history.errors import NoData
from history.plan import ResolvedTarget
from kube import container_exec
from kube.client import api_errors
from kube.containers import main_container
from kube.objects import Pod
from kube.proxy import first_port, reaches
from probes.targets import pod_of, targets_of
from safety import active_run

ASK_S = 2.0
NAMES = ("localhost", "kubernetes.default.svc")  # the first needs no DNS: it shows that names can be looked up at all
LOOK_UP = f"for name in {' '.join(NAMES)}; do timeout 2 getent hosts $name >/dev/null 2>&1; echo $?; done"
FOUND, NOT_FOUND = "0", "2"  # the status of getent
NO_END = {"124", "137", "143"}  # of timeout: coreutils', and busybox' by its age
COUNTERS = "/proc/net/snmp"  # of a container's network namespace
ASKS, ROUNDS = 5, 10  # so many questions at a time bring packets to a pod that nobody else asks; a pod under load sends 300 segments then
FEW = 3  # segments that were sent again: one or two may be chance
LEAST = 0.01  # of the segments that a pod sends: less is sent again on a sound network, too, so a loss of a few % is seldom seen
PART = 0.1  # of the share that is lost: a model server behind a gateway sent 4 % again where 20 % were lost, 0.2 % where none was
FAILS = {"silent": NO_END, "servfail": {NOT_FOUND}}


def out_of_reach(activity: str) -> bool:
    """Tell whether no pod of ``activity`` answers the API server (another machine than its node) although its container runs.

    An answer of the pod itself, even an error, means that it can be reached; the API server answers 502 to 504 in its own name when it
    cannot. Raises NoData: the pod is gone, its role names no port, or the API server does not answer.
    """
    return all(not _answers(target) for target in targets_of(activity, "Pod"))


class Segments(NamedTuple):
    """TCP segments that a network namespace has sent since it was made, and how many of them it sent again."""

    sent: int
    again: int


def packets_lost(activity: str, role: str, percent: int) -> bool:
    """Tell whether every pod of ``activity`` sends TCP segments again, as where ``percent`` of all packets are lost, and still answers.

    The kernel's own counters in the pod's network are read before and after questions of the API server: TCP sends again what was not
    acknowledged, whoever lost it. So many are meant as a tenth of ``percent``, at least 1 % of what is sent, and at least three; it is
    asked up to ten times until there are. A pod that answers none of the questions of one time is cut off, which is another fault. The
    container of its ``role`` (else its first) needs cat.

    Raises:
        NoData: as :func:`out_of_reach`; nobody can look there, or its kernel has no such counters.

    """
    return all(_lossy(target, role, percent) for target in targets_of(activity, "Pod"))


def _lossy(target: ResolvedTarget, role: str, percent: int) -> bool:
    """Ask until enough was sent again to tell it from chance, at most so often that a lossy pod would hardly have been missed."""
    before, share = _segments(target, role), max(LEAST, PART * percent / 100)
    for _ in range(ROUNDS):
        answered = [_answers(target) for _ in range(ASKS)]  # all of them, since each brings packets
        if not any(answered):
            return False
        after = _segments(target, role)
        again = after.again - before.again
        if again >= FEW and again >= share * (after.sent - before.sent):
            return True
    return False


def _segments(target: ResolvedTarget, role: str) -> Segments:
    platform, pod = active_run.require().platform, pod_of(target)
    container = main_container(pod, platform.target.role(role).container).name
    text = container_exec.output_of(platform, target.name, target.namespace or "", container, ["cat", COUNTERS])
    rows = [line.split()[1:] for line in text.splitlines() if line.startswith("Tcp:")]
    counted = dict(zip(rows[0], rows[1], strict=False)) if len(rows) == 2 else {}
    if not {"OutSegs", "RetransSegs"} <= set(counted):
        raise NoData(f"pod {target.namespace}/{target.name}: {COUNTERS} does not count TCP segments there; it says {text[:80]!r}")
    return Segments(int(counted["OutSegs"]), int(counted["RetransSegs"]))


def dns_fails(activity: str, role: str, how: str = "silent") -> bool:
    """Tell whether no pod of ``activity`` gets the API server's address from DNS, although each answers the API server itself.

    Asked from inside each pod, in the container of its ``role`` (else its first), by the name ``kubernetes.default.svc``. ``how``:
    ``silent``, no answer comes within 2 s; ``servfail``, the failure comes sooner. So a pod that is cut off from everything is not taken
    for one whom DNS fails. The container needs sh, timeout and getent.

    Raises:
        NoData: as :func:`out_of_reach`; nobody can ask there, or looking up localhost fails, too; ``how`` is neither.

    """
    if how not in FAILS:
        raise NoData(f"dns_fails: how is {how!r}; write one of {', '.join(FAILS)}")
    targets = targets_of(activity, "Pod")
    return all(_looked_up(target, role) in FAILS[how] for target in targets) and all(_answers(target) for target in targets)


def _looked_up(target: ResolvedTarget, role: str) -> str:
    """Return the status with which looking up the API server's name ends in a pod."""
    platform, pod = active_run.require().platform, pod_of(target)
    container = platform.target.role(role).container or pod.spec.containers[0].name
    said = container_exec.output_of(platform, target.name, target.namespace or "", container, ["sh", "-c", LOOK_UP]).split()
    if len(said) != len(NAMES) or said[0] != FOUND:
        raise NoData(
            f"pod {target.namespace}/{target.name}: looking up {' and '.join(NAMES)} in container {container} ended with {said}, expected "
            f"{FOUND} for the first, so nothing can be said of DNS; the container needs timeout and getent"
        )
    return said[1]


def _answers(target: ResolvedTarget) -> bool:
    platform, pod = active_run.require().platform, pod_of(target)
    answered = reaches(platform, pod, port_of(pod), ASK_S)
    with api_errors("ask the API server once more", NoData):  # so that its own silence is not taken for the pod's
        platform.pod(pod.metadata.name, pod.metadata.namespace)
    return answered


def port_of(pod: Pod) -> int:
    """Return the port at which a pod can be asked. Raises NoData: its containers name none."""
    port = first_port(pod)
    if port is None:
        raise NoData(f"pod {pod.metadata.name}: its containers name no port, so nobody can be asked; name one in its manifest")
    return port
