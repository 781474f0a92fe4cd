"""A suspended JobSet (jobset.x-k8s.io), of which JobSets are made that are not suspended.

Semantics as of v0.11.1 (api/jobset/v1alpha2/jobset_types.go): a JobSet has no deadline of its own. Each of its Jobs has one, and a Job that
exceeds it counts as failed: the JobSet would be restarted, with a new deadline. So a rule of the failure policy ends it then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from target.job_kinds.kind import Ends, Plain, PodTemplate, Resource, register

QUEUE = "kueue.x-k8s.io/queue-name"
LATE = {"name": "aftershockDeadline", "action": "FailJobSet", "onJobFailureReasons": ["DeadlineExceeded"]}
OF_SEVERAL = ("successPolicy", "startupPolicy", "coordinator")  # parts of a spec that name replicated jobs


@register
class JobSet:
    """Of the JobSet controller."""

    template: ClassVar[Resource] = Resource("jobset.x-k8s.io", "v1alpha2", "jobsets", "JobSet")
    made: ClassVar[Resource] = template
    pod_label: ClassVar[str] = "jobset.sigs.k8s.io/jobset-name"
    done: ClassVar[str] = "Completed"

    def complaint(self, written: Plain) -> str:
        """Return that it runs by itself or would be made to, or has no Jobs."""
        spec = written.get("spec", {})
        if not spec.get("replicatedJobs"):
            return "it has no replicatedJobs, so there is nothing to run; add one whose pods are the ranks"
        if not spec.get("suspend"):
            return "it is not suspended, so it trains by itself; set its spec.suspend: true"
        if QUEUE in (written["metadata"].get("labels") or {}):
            return f"Kueue starts what carries {QUEUE}, the template as well; move this label to job.labels in the target file"
        return ""

    def job_of(self, written: Plain) -> Plain:
        """Return it without what belongs to the template alone."""
        return {"metadata": written["metadata"], "spec": {**written["spec"], "suspend": False}}

    def pod_templates(self, job: Plain) -> list[PodTemplate]:
        """Return one for each replicated job: replicas times parallelism."""
        return [PodTemplate(one["template"]["spec"]["template"], _pods(one)) for one in job["spec"]["replicatedJobs"]]

    def alone(self, job: Plain, container: str) -> Plain:
        """Return it with one replicated job of one pod, and without what names the others."""
        spec = {key: value for key, value in job["spec"].items() if key not in OF_SEVERAL}
        pairs = zip(spec["replicatedJobs"], self.pod_templates(job), strict=True)
        chosen = next(one for one, template in pairs if template.container(container))
        of_job = {**chosen["template"], "spec": {**chosen["template"]["spec"], "completions": 1, "parallelism": 1}}
        kept = {key: value for key, value in chosen.items() if key != "dependsOn"} | {"replicas": 1, "template": of_job}
        if rules := spec.get("failurePolicy", {}).get("rules"):
            spec["failurePolicy"] = {**spec["failurePolicy"], "rules": [one for one in rules if _names(one, chosen["name"])]}
        return {**job, "spec": {**spec, "replicatedJobs": [kept]}}

    def spec_of(self, job: Plain, change: Callable[[Plain], Plain], ends: Ends) -> Plain:
        """Return the JobSet's spec: each start of it ends at the deadline, and is not followed by another."""
        policy: Plain = job["spec"].get("failurePolicy") or {}
        late = {"failurePolicy": {**policy, "rules": [LATE, *policy.get("rules", [])]}}
        of_jobs = [_job_with(one, change, ends) for one in job["spec"]["replicatedJobs"]]
        return {**job["spec"], **late, "ttlSecondsAfterFinished": ends.kept_s, "replicatedJobs": of_jobs}

    def remarks(self, job: Plain) -> list[str]:
        """Return how often it is started again, where a Job of it does not forgive a failure."""
        fragile = [one["name"] for one in job["spec"]["replicatedJobs"] if one["template"]["spec"].get("backoffLimit") == 0]
        if not fragile:
            return []
        most = (job["spec"].get("failurePolicy") or {}).get("maxRestarts", 0)
        then = (
            f"all of it is started again, {most} times at most (failurePolicy.maxRestarts)" if most else "that is its end: maxRestarts is 0"
        )
        return [f"a pod of {', '.join(fragile)} that fails ends its Job (backoffLimit: 0), and {then}"]


def _pods(replicated: Plain) -> int:
    return int(replicated.get("replicas", 1)) * int(replicated["template"]["spec"].get("parallelism", 1))


def _names(rule: Plain, replicated: str) -> bool:
    """Tell whether a rule of a failure policy means a replicated job: it names it alone, or none."""
    return set(rule.get("targetReplicatedJobs") or [replicated]) == {replicated}


def _job_with(replicated: Plain, change: Callable[[Plain], Plain], ends: Ends) -> Plain:
    of_job, spec = replicated["template"], replicated["template"]["spec"]
    changed = {**spec, "activeDeadlineSeconds": ends.deadline_s, "template": change(spec["template"])}
    return {**replicated, "template": {**of_job, "spec": changed}}
