"""Whether Chaos Mesh could make what a run wants of it, and end it again: asked in preflight, before anything is made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial

from faults.mechanisms.chaos_mesh import Chaos, killing, manifest, partition_spec
from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube import plain_objects
from kube.chaos_mesh import chaos, installed
from kube.chaos_mesh.installed import ANNOTATION, ENABLED, FILTER, ONLY, WHOLE
from kube.client import Platform, api_errors
from kube.permissions import Permission
from target.job_kinds.kind import Resource
from target.region import ChaosMesh

NOTHING = "nothing was injected"


def kind_of(platform: Platform, needed: Collection[Permission]) -> Resource | None:
    """Return the kind of chaos that a fault makes, by the rights that it asks for; None: it makes none."""
    own = platform.target.suite.namespace
    return next((kind for kind in chaos.MADE if Permission("create", kind.plural, chaos.GROUP, own) in needed), None)


def check_chaos(platform: Platform, kind: Resource, targets: Sequence[ResolvedTarget], lost: Collection[str]) -> None:
    """Refuse what Chaos Mesh could not make or end. ``lost``: nodes that other faults of the run take away.

    Raises:
        TargetRefused: with all that stands against it.

    """
    mesh = platform.region.chaos_mesh
    if mesh is None:
        return
    with api_errors("ask for Chaos Mesh", TargetRefused):
        wrong = tuple(said for ask in _questions(platform, mesh, kind, targets, lost) for said in ask())
    if wrong:
        raise TargetRefused(f"Chaos Mesh cannot make a {kind.kind} here: {'; '.join(wrong)}; {NOTHING}", parts=wrong)


def _questions(
    platform: Platform, mesh: ChaosMesh, kind: Resource, targets: Sequence[ResolvedTarget], lost: Collection[str]
) -> Iterator[Callable[[], Iterator[str]]]:
    """Yield what is asked. Where its API is not served, nothing else can be."""
    if not plain_objects.served(platform, kind):
        yield lambda: iter([f"the API server does not serve {kind.plural}.{chaos.GROUP}; install Chaos Mesh, or leave chaos_mesh out"])
        return
    yield partial(_controller, platform, mesh, targets)
    yield partial(_daemons, platform, mesh, targets, lost)
    yield partial(_others, platform, targets)
    yield partial(_admitted, platform, kind, targets)


def _controller(platform: Platform, mesh: ChaosMesh, targets: Sequence[ResolvedTarget]) -> Iterator[str]:
    up = installed.controllers(platform, mesh)
    if not up:
        yield f"no pod of its controller is ready in namespace {mesh.namespace}, so nobody would act or end it; repair it first"
        return
    said = installed.settings(up[0])
    if said.get(WHOLE) == "false":
        yield (
            f"it looks at chaos in namespace {said.get(ONLY)} alone ({WHOLE}=false), and the suite's stands in "
            f"{platform.target.suite.namespace}; install it for the whole cluster"
        )
    if said.get(FILTER) == "true":
        for name in sorted({target.namespace or "" for target in targets}):
            meta = platform.core.read_namespace(name).metadata
            if ((meta and meta.annotations) or {}).get(ANNOTATION) != ENABLED:
                yield f"it leaves namespace {name} alone ({FILTER}=true): kubectl annotate namespace {name} {ANNOTATION}={ENABLED}"


def _daemons(platform: Platform, mesh: ChaosMesh, targets: Sequence[ResolvedTarget], lost: Collection[str]) -> Iterator[str]:
    there = installed.nodes_with_daemon(platform, mesh)
    for node in sorted({target.node for target in targets if target.node}):
        if node not in there:
            yield f"no daemon of it is ready on node {node}, so nothing could be done or ended there; repair it first"
        if node in lost:
            yield f"another fault of this run takes node {node} away, whose daemon must end this one; hit them in two experiments"


def _others(platform: Platform, targets: Sequence[ResolvedTarget]) -> Iterator[str]:
    for target in targets:
        pod = f"{target.namespace}/{target.name}"
        for other in chaos.acting_on(platform, pod):
            yield f"{other} acts on pod {pod} already, and the last chaos on a pod's network takes the place of earlier ones; end it first"


def _admitted(platform: Platform, kind: Resource, targets: Sequence[ResolvedTarget]) -> Iterator[str]:
    """Ask by server-side dry runs whether the objects would be admitted: rights, quotas, policies, Chaos Mesh's own webhooks."""
    namespace = platform.target.suite.namespace
    for target in targets:
        made = killing(target) if kind == chaos.POD else Chaos(target, kind, partition_spec(target, (), 1.0), 1.0)
        try:
            with api_errors(
                f"one for pod {target.namespace}/{target.name} is not admitted (asked by a server-side dry run)", TargetRefused
            ):
                plain_objects.create(platform, kind, namespace, manifest("preflight", "preflight", made, namespace), dry_run=True)
        except TargetRefused as refused:
            yield str(refused)
