"""What the tracking server holds of a training job, asked as whoever looks at it would ask."""

from __future__ import annotations

import json

import polars as pl

from history.clock import now_ns
from history.errors import NoData
from kube import proxy
from kube.client import api_errors
from kube.selection import read_pod
from probes.events import training_job, training_rows
from safety import active_run

HISTORY = "api/2.0/mlflow/metrics/get-history"


def missing_metrics(server: str, metric: str, every: int, lag_s: float = 10.0) -> int:
    """Return how many steps of the job the tracking server lacks (0: none): those that rank 0 logs, done at least ``lag_s`` s ago.

    Args:
        server: ``service:port`` of an MLflow server in the job's namespace.
        metric: the metric whose history is asked for.
        every: which steps are logged: the multiples of it (the job's TRAIN_TRACK_EVERY).
        lag_s: for a step to arrive, in seconds.

    Raises:
        NoData: the server does not answer, or no step is due yet.

    """
    run, job = active_run.require(), training_job()
    rows = training_rows()
    done = rows.filter((pl.col("kind") == "step") & (pl.col("rank") == 0) & (pl.col("t_ns") < now_ns() - int(lag_s * 1e9)))
    due = {step for step in done["step"] if step % every == 0}
    if not due:
        raise NoData(f"tracking: no step that is logged was done {lag_s:g} s ago or earlier; is the job running?")
    known = rows.filter(pl.col("kind") == "tracked")["detail"].to_list()  # rank 0 says by which id the server knows the job
    if not known:
        return len(due)
    text = proxy.get(run.platform, job.namespace, server, HISTORY, run_id=json.loads(known[0])["run_id"], metric_key=metric)
    held = {value["step"] for value in json.loads(text).get("metrics", [])} if text else set()
    return len(due - held)


def silent(activity: str, server: str) -> bool:
    """Tell whether the tracking server answers nobody although the API server, through which it is asked, answers.

    Raises:
        NoData: the API server does not answer either, or the run follows no training job.

    """
    run = active_run.require()
    namespace = training_job().namespace
    try:
        proxy.get(run.platform, namespace, server, "health")
    except NoData:
        [target] = run.targets_of(activity)
        with api_errors(f"look at pod {namespace}/{target.name}", NoData):
            return read_pod(run.platform, target) is not None
    return False
