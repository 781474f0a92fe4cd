"""A suspended CronJob, of which Jobs are made, as ``kubectl create job --from=cronjob/NAME`` does."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from target.job_kinds.kind import Ends, Plain, PodTemplate, Resource, register


@register
class CronJob:
    """Kubernetes' own."""

    template: ClassVar[Resource] = Resource("batch", "v1", "cronjobs", "CronJob")
    made: ClassVar[Resource] = Resource("batch", "v1", "jobs", "Job")
    pod_label: ClassVar[str] = "batch.kubernetes.io/job-name"
    done: ClassVar[str] = "Complete"

    def complaint(self, written: Plain) -> str:
        """Return that it runs by itself."""
        return "" if written["spec"].get("suspend") else "it is not suspended, so it trains by itself; set its spec.suspend: true"

    def job_of(self, written: Plain) -> Plain:
        """Return the template of its Jobs."""
        job: Plain = written["spec"]["jobTemplate"]
        return job

    def pod_templates(self, job: Plain) -> list[PodTemplate]:
        """Return the one that it has."""
        return [PodTemplate(job["spec"]["template"], int(job["spec"].get("completions") or 1))]

    def alone(self, job: Plain, container: str) -> Plain:  # noqa: ARG002 - it has one template
        """Return it with one completion."""
        return {**job, "spec": {**job["spec"], "completions": 1, "parallelism": 1}}

    def spec_of(self, job: Plain, change: Callable[[Plain], Plain], ends: Ends) -> Plain:
        """Return the Job's spec."""
        ended = {"activeDeadlineSeconds": ends.deadline_s, "ttlSecondsAfterFinished": ends.kept_s}
        return {**job["spec"], **ended, "template": change(job["spec"]["template"])}

    def remarks(self, job: Plain) -> list[str]:
        """Return that no failure is forgiven."""
        if job["spec"].get("backoffLimit") != 0:
            return []
        return ["with backoffLimit: 0 the first pod that fails ends the job"]
