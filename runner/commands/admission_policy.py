"""``python -m runner policy``: a ValidatingAdmissionPolicy that holds the suite's accounts to the shapes that the suite makes.

Rights say which verbs; they cannot say which pods. Whoever gets hold of an account that may create fault pods could otherwise create any
privileged pod in that namespace. Every service account of the suite's namespace (its own and its reapers') is held to: fault pods, its
ephemeral containers, its reapers, and cordons. The shapes come from the code that makes them, so they cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from faults.mechanisms import fault_pod, process_signal
from kube.selection import CONTROL_PLANE
from runner.commands.cel import Rule, cel, labelled, nothing, placed, quoted
from runner.commands.chaos_policy import chaos_objects
from runner.commands.refusal_policy import either, question, quota, timer
from runner.drivers.requests import load_pod
from safety import data_damage, reaper_job
from safety.undo import CORDONED_BY
from target.job_kinds.kind import Resource, job_kind, known_kinds
from target.suite_image import FAULT_PYTHON, PROJECT
from target.target import Target
from target.training import TrainingClass

API = "admissionregistration.k8s.io/v1"
JOB = Resource("batch", "v1", "jobs", "Job")  # the reaper is one
MANAGED = {"app.kubernetes.io/managed-by": "aftershock"}
LONGEST_S = 7200  # a fault pod or a reaper beyond that is none of ours
Manifest = dict[str, Any]
UNMOUNTED = "!has({0}.volumeMounts)"
BARE = "!has({0}.volumeDevices) && !has({0}.envFrom) && !has({0}.lifecycle) && !has({0}.args)"
UNPRIVILEGED = (
    "has({0}.securityContext) && !{0}.securityContext.?privileged.orValue(false)"
    " && !{0}.securityContext.?allowPrivilegeEscalation.orValue(true) && !has({0}.securityContext.procMount)"
)
NOT_ROOT = "{0}.?securityContext.?runAsNonRoot.orValue(false) == true && !has({0}.containers[0].securityContext.runAsNonRoot)"
BOUNDED = f"object.spec.?activeDeadlineSeconds.orValue({LONGEST_S} + 1) <= {LONGEST_S}"


def manifests(target: Target) -> list[Manifest]:
    """Return the policies, each with its binding."""
    made: list[Manifest] = []
    for what, resources, operations, rules in (
        ("pods", ("", "pods"), ["CREATE"], either(question(target), load_pod_or(target, fault_pod_rules(target)))),
        ("ephemeral-containers", ("", "pods/ephemeralcontainers"), ["UPDATE"], ephemeral_container(target)),
        ("jobs", ("batch", "jobs"), ["CREATE"], either(f"{training(target, JOB)} || {timer(target)}", reaper(target))),
        ("quotas", ("", "resourcequotas"), ["CREATE", "UPDATE"], quota(target)),
        ("nodes", ("", "nodes"), ["UPDATE"], cordon()),
        ("workloads", ("apps", "*"), ["CREATE", "UPDATE"], nothing("workload")),
        ("cron-jobs", ("batch", "cronjobs"), ["CREATE", "UPDATE"], nothing("CronJob")),
        *other_jobs(target),
        *chaos_objects(target),
    ):
        made += policy(target.suite.namespace, what, resources, operations, rules)
    return made


def policy(namespace: str, what: str, resource: tuple[str, str], operations: list[str], rules: Iterable[Rule]) -> list[Manifest]:
    """Return one policy for the service accounts of ``namespace``, and its binding."""
    name, group = f"aftershock-{what}.{namespace}", resource[0]
    who = f"request.userInfo.username.startsWith({quoted(f'system:serviceaccount:{namespace}:')})"
    matched = {"apiGroups": [group], "apiVersions": ["*"], "operations": operations, "resources": [resource[1]]}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [matched]},
        "matchConditions": [{"name": "suite", "expression": who}],
        "validations": [{"expression": expression, "message": f"aftershock policy: {said}"} for expression, said in rules],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    return [
        {"apiVersion": API, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": spec},
        {"apiVersion": API, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name}, "spec": binding},
    ]


def load_pod_or(target: Target, rules: Iterable[Rule]) -> list[Rule]:
    """Return ``rules`` for pods that are no load workers.

    Load workers have the shape of :mod:`runner.drivers.requests.load_pod`, where the target wants any.
    """
    if not any(load_pod.wanted(one) for one in target.workloads.values()):
        return list(rules)
    worker = [
        *placed(target.suite.namespace, "pods"),
        (labelled(load_pod.MANAGED), "a load pod is labelled as one"),
        *single("object.spec", load_pod.container(target), exactly=True, scratch=True),
        ("!has(object.spec.containers[0].securityContext.capabilities.add)", "a load pod has no capabilities"),
        (NOT_ROOT.format("object.spec"), "a load pod does not run as root"),
        ("!has(object.spec.hostNetwork) && !has(object.spec.hostPID)", "a load pod sees nothing of its node"),
        (f"!object.spec.?automountServiceAccountToken.orValue(true) && {BOUNDED}", "a load pod has no token and a deadline"),
    ]
    shape = " && ".join(f"({rule})" for rule, _ in worker)
    return [(f"({shape}) || ({rule})", said) for rule, said in rules]


def fault_pod_rules(target: Target) -> list[Rule]:
    """Return what a pod must be: :func:`faults.mechanisms.fault_pod.manifest` and nothing else."""
    context = "object.spec.containers[0].securityContext"
    capabilities = cel((*fault_pod.CAPABILITIES, *fault_pod.FILES))
    return [
        *placed(target.suite.namespace, "pods"),
        (labelled(fault_pod.MANAGED), "a pod must be labelled as a fault pod"),
        *single("object.spec", fault_pod.container(target.suite.fault_image, ()), exactly=False),
        (f"{context}.capabilities.?add.orValue([]).all(one, one in {capabilities})", "capabilities beyond a fault pod's"),
        (f"!object.spec.?automountServiceAccountToken.orValue(true) && {BOUNDED}", "a fault pod has no token and a deadline"),
        ('object.spec.restartPolicy == "Never" && has(object.spec.nodeName)', "a fault pod is bound to its node and never restarted"),
    ]


def reaper(target: Target) -> list[Rule]:
    """Return what a Job must be: :func:`safety.reaper_job.job` and nothing else."""
    spec = "object.spec.template.spec"
    return [
        *placed(target.suite.namespace, "Jobs"),
        (labelled(reaper_job.MANAGED), "a Job must be labelled as a reaper"),
        *single(spec, reaper_job.container(target, "", 0), exactly=True),
        (f"!has({spec}.containers[0].securityContext.capabilities.add)", "a reaper has no capabilities"),
        (NOT_ROOT.format(spec), "a reaper does not run as root"),
        (f"!has({spec}.hostNetwork) && !has({spec}.hostPID)", "a reaper sees nothing of its node"),
        (f"{spec}.?serviceAccountName.orValue('') == object.metadata.name", "a reaper runs as its own account"),
    ]


def training(target: Target, made: Resource) -> str:
    """Return the expression that what is made is a training run's: a copy of the platform's own template, where a class makes such jobs.

    What such a job may be is the platform's to say, by Pod Security of its namespace.
    """
    classes = (one for one in target.workloads.values() if isinstance(one, TrainingClass))
    places = {target.role(one.role).namespace for one in classes if job_kind(one.job.kind).made == made}
    return f"(request.namespace in {cel(sorted(places))} && {labelled(MANAGED)})"


def other_jobs(target: Target) -> Iterator[tuple[str, tuple[str, str], list[str], list[Rule]]]:
    """Yield a policy for each resource but Jobs of which training jobs can be: made as one, never changed."""
    for made in sorted({kind.made for kind in known_kinds().values()} - {JOB}):
        rule = f'request.operation == "CREATE" && {training(target, made)}'
        yield made.plural, (made.group, made.plural), ["CREATE", "UPDATE"], [(rule, f"a {made.kind} only as a training run's own")]


def ephemeral_container(target: Target) -> list[Rule]:
    """Return what an added ephemeral container must be.

    :func:`faults.mechanisms.process_signal.ephemeral_container` or :func:`safety.data_damage.container`, and nothing else.
    """
    before = "oldObject.spec.?ephemeralContainers.orValue([])"
    added = f"object.spec.ephemeralContainers.filter(one, !{before}.exists(old, old.name == one.name))"
    signals, storage = (f"one.name.startsWith({quoted(prefix)})" for prefix in (process_signal.PREFIX, data_damage.PREFIX))
    signalling = f"one.?command.orValue([]) == {cel([FAULT_PYTHON, '-c', process_signal.SCRIPT.read_text()])}"
    programs = cel((data_damage.CHECKPOINTS, data_damage.TRAINING_DATA))
    beside = f"one.?command.orValue([]).size() > 2 && one.command[0] == {quoted(FAULT_PYTHON)} && one.command[1] == '-m'"
    beside += f" && one.command[2] in {programs} && one.?workingDir.orValue('') == {quoted(PROJECT)}"
    signal_names, storage_names = cel(process_signal.VARIABLES), cel(data_damage.ENVIRONMENT)

    def every(what: str) -> str:
        return f"{added}.all(one, {what})"

    known = f"({signals} ? it.name in {signal_names} : it.name in {storage_names}) && has(it.value)"
    known = f"({known}) || ({storage} && {of_secret(target)})"
    shapes = [
        (f"{signals} || {storage}", f"an ephemeral container is named {process_signal.PREFIX}N or {data_damage.PREFIX}N"),
        (f"one.image == {quoted(target.suite.fault_image)}", f"an ephemeral container's image is {target.suite.fault_image}"),
        (f"{signals} ? {signalling} : {beside}", "an ephemeral container runs the suite's own program"),
        (f"{UNMOUNTED} && {BARE}".format("one"), "an ephemeral container mounts nothing"),
        (f"one.?env.orValue([]).all(it, {known})", "an ephemeral container has no other environment"),
        (UNPRIVILEGED.format("one") + " && !has(one.securityContext.capabilities.add)", "an ephemeral container has no privileges"),
    ]
    namespaces = target.only_region().namespaces
    return [
        (f"request.namespace in {cel(namespaces)}", f"ephemeral containers only in {', '.join(namespaces)}"),
        *((every(shape), said) for shape, said in shapes),
    ]


def of_secret(target: Target) -> str:
    """Return the expression that a variable is a credential of a storage server: of the Secret and key that its role names."""
    pairs = [
        f"(request.namespace == {quoted(role.namespace)} && it.name == {quoted(variable)}"
        f" && it.valueFrom.secretKeyRef.name == {quoted(secret)} && it.valueFrom.secretKeyRef.key == {quoted(key)})"
        for name, role in target.roles.items()
        if role.object_store and role.object_store.s3
        for variable, (secret, key) in data_damage.secrets_of(role, name).items()
    ]
    return f"has(it.valueFrom) && has(it.valueFrom.secretKeyRef) && ({' || '.join(pairs)})" if pairs else "false"


def cordon() -> list[Rule]:
    """Return what may change on a node: whether it is schedulable, and the note of who did that; never on the control plane."""
    now, was = "object.metadata.?annotations.orValue({})", "oldObject.metadata.?annotations.orValue({})"
    same = "{0}.all(key, key == {2} || (key in {1} && {0}[key] == {1}[key]))"
    kept = " && ".join(same.format(*pair, quoted(CORDONED_BY)) for pair in ((now, was), (was, now)))
    labels = "oldObject.metadata.?labels.orValue({})"
    return [
        (f"!{cel(CONTROL_PLANE)}.exists(label, label in {labels})", "a node of the control plane is not touched"),
        (f"object.metadata.?labels.orValue({{}}) == {labels}", "labels of nodes stay"),
        ("object.spec.?taints.orValue([]) == oldObject.spec.?taints.orValue([])", "taints of nodes stay"),
        (kept, f"of annotations of nodes only {CORDONED_BY} may change"),
    ]


def single(spec: str, container: Manifest, *, exactly: bool, scratch: bool = False) -> list[Rule]:
    """Return the rules that all pods of the suite share: this container alone (``exactly``: no further words), nothing of the host's.

    ``scratch``: it may have empty folders of its own.
    """
    only, command, image = f"{spec}.containers[0]", container["command"], container["image"]
    given, security = f"{only}.?command.orValue([])", f"{only}.securityContext"
    program = [f"size({given}) {'==' if exactly else '>='} {len(command)}"]
    program += [f"{only}.?workingDir.orValue('') == {quoted(container['workingDir'])}"]  # where Python looks for modules first
    program += [f"{given}[{place}] == {quoted(word)}" for place, word in enumerate(command)]
    alone = f"size({spec}.containers) == 1 && !has({spec}.initContainers) && !has({spec}.ephemeralContainers)"
    names = cel(one["name"] for one in container["env"])
    bounded = f'{security}.?readOnlyRootFilesystem.orValue(false) && "ALL" in {security}.?capabilities.?drop.orValue([])'
    return [
        (alone, "exactly one container"),
        (f"{only}.image == {quoted(image)}", f"the image is {image}"),
        (" && ".join(program), f"the program is {' '.join(command[1:])}"),
        (f"{spec}.?volumes.orValue([]).all(one, {'has(one.emptyDir)' if scratch else 'false'})", "no volumes: nothing of the host's files"),
        (BARE.format(only) + ("" if scratch else f" && {UNMOUNTED.format(only)}"), "no mounts, hooks or arguments of its own"),
        (f"{only}.?env.orValue([]).all(it, it.name in {names} && !has(it.valueFrom))", "no other environment"),
        (UNPRIVILEGED.format(only), "not privileged"),
        (bounded, "a read-only root, and no capability that is not named"),
        (f"!has({spec}.hostIPC) && !has({spec}.securityContext.sysctls)", "no shared memory and no kernel settings of the host"),
    ]
