"""What trains: programs that start ranks, and operators, which are known by the API groups that they serve.

Read in: PyTorch (``torchrun``), DeepSpeed, Hugging Face Accelerate; Kubeflow's training operator (label ``training.kubeflow.org/job-name``)
and trainer v2 (``trainer.kubeflow.org``); JobSet (label ``jobset.sigs.k8s.io/jobset-name``); Kueue; Volcano; KubeRay; Argo Workflows.
"""

from __future__ import annotations

from typing import NamedTuple

from runner.discovery.known.catalogue import CATALOGUE
from runner.discovery.signs import Known, Signs
from target.job_kinds.kind import Resource


class Operator(NamedTuple):
    """What serves an API group: its name, what of it is listed, and what the suite makes of it."""

    name: str
    jobs: tuple[Resource, ...]
    remark: str


TORCHRUN = r"\btorchrun\b|\btorch\.distributed\.(run|launch)\b"
RANKS = (TORCHRUN, r"\bdeepspeed\b", r"\baccelerate launch\b", r"\bhorovodrun\b|\bmpirun\b")
"""How a command line says that it starts ranks."""
NO_DRIVER = "the suite makes no jobs of this kind: a suspended CronJob or JobSet with the same pods can be its template"
VERSION = ""  # filled in by what the server prefers


def _jobs(group: str, **kinds: str) -> tuple[Resource, ...]:
    return tuple(Resource(group, VERSION, plural, kind) for plural, kind in kinds.items())


OPERATORS = {
    "jobset.x-k8s.io": Operator("JobSet", (), ""),
    "kubeflow.org": Operator(
        "Kubeflow training operator",
        _jobs("kubeflow.org", pytorchjobs="PyTorchJob", tfjobs="TFJob", mpijobs="MPIJob", xgboostjobs="XGBoostJob", jaxjobs="JAXJob"),
        NO_DRIVER,
    ),
    "trainer.kubeflow.org": Operator("Kubeflow Trainer", _jobs("trainer.kubeflow.org", trainjobs="TrainJob"), NO_DRIVER),
    "kueue.x-k8s.io": Operator(
        "Kueue", _jobs("kueue.x-k8s.io", localqueues="LocalQueue"), "a template must not carry its label: write job.labels in the class"
    ),
    "batch.volcano.sh": Operator("Volcano", _jobs("batch.volcano.sh", jobs="Job"), NO_DRIVER),
    "ray.io": Operator("KubeRay", _jobs("ray.io", rayjobs="RayJob"), NO_DRIVER),
    "argoproj.io": Operator("Argo", (), "an Argo Rollout is known as a controller; workflows are not driven"),
    "leaderworkerset.x-k8s.io": Operator("LeaderWorkerSet", (), "one pod's blast radius is its group"),
}
"""By the API group that they serve."""

CATALOGUE.register(
    Known(
        "training ranks",
        "training",
        Signs(
            labels=(
                {"training.kubeflow.org/job-name": ".+"},
                {"jobset.sigs.k8s.io/jobset-name": ".+"},
                {"ray.io/originated-from-crd": "RayJob"},
            ),
            commands=RANKS,
        ),
    ),
)
