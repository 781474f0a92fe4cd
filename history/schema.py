"""Columns and vocabularies of a run's history. All times are int64 ns UTC (:mod:`history.clock`)."""

from __future__ import annotations

from enum import StrEnum

import polars as pl

SCHEMA_VERSION = 2
"""Version of the whole run folder; a reader refuses a newer one with a sentence."""
READABLE = (1, 2)
"""Versions that a reader understands. A folder of version 1 has one workload and one region, and says neither."""
DEFAULT_REGION = "default"
"""The region of a target that names none."""
API_SERVER = "api-server"
"""The API server as an instrument, in events, and in what a fault takes away."""


class Outcome(StrEnum):
    """How one attempt ended, as the client saw it.

    ``unknown`` is an attempt whose end was not seen (cut off, or the load was killed); judges count it as bad.
    """

    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"


class EventKind(StrEnum):
    """Kinds of rows in ``events``. ``object`` names what it happened to; ``detail`` is a JSON object."""

    LOAD_START = "load.start"
    """The first arrival is scheduled at this time; schedule offsets count from it. object: worker."""
    LOAD_STOP = "load.stop"
    """No request is sent whose intended time is later than this. object: worker."""
    LOAD_AUDIT = "load.audit"
    """The generator's own account at its end. detail: {cap_hit, sent, cpu_share_max, ...}. object: worker."""
    CLOCK = "clock"
    """A process's anchor, or a measured offset. detail: {wall_ns, monotonic_ns} or {offset_ms, error_ms, against}. object: process."""
    PHASE = "phase"
    """A phase of the run begins. object: its name (history.plan.Phase)."""
    FAULT_START = "fault.start"
    """Stamped by the injector just before the effect. object: activity name. detail: {targets: [...]}."""
    FAULT_CONFIRMED = "fault.confirmed"
    """Evidence became true. object: evidence probe name. detail: {observed: ...}."""
    FAULT_UNCONFIRMED = "fault.unconfirmed"
    """Evidence did not become true within its deadline. object: evidence probe name. detail: {observed, deadline_s}."""
    FAULT_EVIDENCE = "fault.evidence"
    """Evidence of a fault that lasts was looked at again. object: evidence probe name. detail: {held: bool, observed: ...}."""
    FAULT_FAILED = "fault.failed"
    """An action of the method failed. object: activity name. detail: {error}."""
    FAULT_END = "fault.end"
    """The fault was undone or ended by itself. object: activity name. detail: {how}."""
    HEAL_START = "heal.start"
    """Rollbacks begin."""
    HEAL_END = "heal.end"
    """The platform was proven as before.

    detail: {clean: bool (null: nobody could look), remains: [...], resized: [...] (who scaled a role meanwhile),
    residue: [...] (what stays and does nothing)}; the last two are left out where there is none.
    """
    HYPOTHESIS = "hypothesis"
    """One evaluation of one hypothesis probe. object: probe name. detail: {phase, met, value, no_data, sentence}."""
    POD_READY = "pod.ready"
    """A pod became Ready. object: pod name. detail: {uid, node, role}."""
    POD_UNREADY = "pod.unready"
    """A pod lost Ready. object: pod name."""
    POD_CREATED = "pod.created"
    """A pod appeared. object: pod name."""
    POD_SCHEDULED = "pod.scheduled"
    """A pod was bound to a node. object: pod name. detail: {node}."""
    POD_STARTED = "pod.started"
    """A container of the pod runs (again). object: pod name. detail: {container, restarts}."""
    POD_GONE = "pod.gone"
    """A pod object was deleted. object: pod name."""
    NODE_READY = "node.ready"
    """A node became Ready. object: node name."""
    NODE_UNREADY = "node.unready"
    """A node lost Ready. object: node name."""
    NODE_CORDONED = "node.cordoned"
    """A node became unschedulable. object: node name."""
    NODE_UNCORDONED = "node.uncordoned"
    """A node became schedulable. object: node name."""
    GPU_ALLOCATABLE = "gpu.allocatable"
    """Allocatable accelerators of a node changed. object: node name. detail: {allocatable, capacity}."""
    ENDPOINT_IN = "endpoint.in"
    """A pod entered a Service's ready endpoints. object: pod name."""
    ENDPOINT_OUT = "endpoint.out"
    """A pod left a Service's ready endpoints. object: pod name."""
    KUBE_EVENT = "kube.event"
    """A Kubernetes Event. object: involved object. detail: {reason, message, kind, type}."""
    INSTRUMENT_DOWN = "instrument.down"
    """An instrument (Prometheus, API server, load) stopped answering. object: its name."""
    INSTRUMENT_UP = "instrument.up"
    """It answers again."""
    STOPPED = "stopped"
    """The run was stopped early. object: by whom or what (SIGINT, SIGTERM, stop condition). detail: {reason, phase}."""
    NOTE = "note"
    """A sentence worth keeping. detail: {text}."""


class AlertState(StrEnum):
    """What a row of ``alerts`` says of a rule."""

    INACTIVE = "inactive"
    """Prometheus has no alert of it."""
    PENDING = "pending"
    """Its expression is true, its ``for`` is not over."""
    FIRING = "firing"
    """At least one alert of it fires."""
    FAILED = "failed"
    """Its last evaluation failed, so it can't fire."""


class Notice(StrEnum):
    """What a row of ``notifications`` says. Those of no rule are about the suite's receiver itself."""

    LISTENING = "listening"
    """The receiver listens from now on."""
    DEAF = "deaf"
    """It could not listen. detail: {text}."""
    UNREAD = "unread"
    """Something came that is no notification, or was too much. detail: {text}."""
    FIRING = "firing"
    """Alertmanager told that an alert of the rule fires."""
    RESOLVED = "resolved"
    """Alertmanager told that it fires no more."""


class Series(StrEnum):
    """Names of series in ``samples`` that judges and reports know; any other name is kept and shown."""

    HEALTH = "health"
    """1 if a replica answered well within its time limit, else 0: its health endpoint 200, or what its readiness probe asks.

    labels: {pod, role}; older runs asked the workload's role only, and do not say it.
    """
    NODE_HEARD = "node_heard"
    """Of a replica that nobody can ask: 1 if its node is heard of, 0 if the node's lease is overdue. labels: {pod, role}."""
    QUEUE_DEPTH = "queue_depth"
    """Requests waiting in engines, summed over ready replicas."""
    IN_FLIGHT = "in_flight"
    """Requests in flight as the load generator counts them. labels: {worker}."""
    SERVED = "served"
    """Requests that a replica has served by its own counter. labels: {pod}."""
    READY_REPLICAS = "ready_replicas"
    """Pods of a role that Kubernetes calls Ready, whether they serve or not. labels: {role}."""
    DESIRED_REPLICAS = "desired_replicas"
    """Replicas that the controllers of a role want now; older runs know those of the plan only. labels: {role}."""
    LOAD_CPU = "load_cpu_share"
    """CPU of a load worker over the last second as a share of one core. labels: {worker}."""
    MACHINE_IDLE = "machine_idle"
    """Share of the processors that was idle, of the machine that platform and suite run on (only where they share one)."""
    MACHINE_OTHERS = "machine_others"
    """Share of its processors that neither the platform nor what runs at a low priority used."""
    MACHINE_PRESSURE = "machine_pressure"
    """Share of time in which at least one task there waited for a processor (pressure stall information)."""


REQUESTS: dict[str, pl.DataType] = {
    "request_id": pl.Int64(),  # row of the schedule
    "attempt": pl.Int16(),  # 0 is the user's first try; retries count up; hedges too
    "intended_ns": pl.Int64(),  # when the user asked (from the schedule); the same for all attempts
    "sent_ns": pl.Int64(),  # null: never sent (cap hit, generator stopped)
    "first_byte_ns": pl.Int64(),
    "done_ns": pl.Int64(),
    "outcome": pl.Enum([o.value for o in Outcome]),
    "valid": pl.Boolean(),  # null: not checked (no payload); false: an answer, but a wrong one
    "complete": pl.Boolean(),  # false: no whole answer: truncated, given up by the server, empty, or not readable
    "max_gap_ms": pl.Float64(),  # longest silence between chunks of a stream, with text or without; null: not streamed
    "gap_end_ns": pl.Int64(),  # when that silence ended; null: not streamed, or an older run
    "max_visible_gap_ms": pl.Float64(),  # longest silence between chunks with visible text; null: not streamed, or an older run
    "status": pl.Int16(),  # HTTP status; null: none received
    "error": pl.String(),  # class and first line; null: none
    "endpoint": pl.String(),
    "connection": pl.Int64(),  # number within its worker; null: none was opened, or an older run
    "pod": pl.String(),  # who answered, as its header says; null: unknown
    "tokens": pl.Int32(),
    "worker": pl.String(),
    "region": pl.String(),  # that the request was sent to
}
SCHEDULE: dict[str, pl.DataType] = {
    "request_id": pl.Int64(),
    "offset_ns": pl.Int64(),  # intended_ns = load.start + offset_ns
    "stream": pl.Boolean(),
    "prompt_id": pl.Int32(),
    "max_tokens": pl.Int32(),
    "worker": pl.Int16(),
}
EVENTS: dict[str, pl.DataType] = {
    "t_ns": pl.Int64(),
    "kind": pl.String(),
    "object": pl.String(),
    "detail": pl.String(),
    "region": pl.String(),
}
SAMPLES: dict[str, pl.DataType] = {
    "t_ns": pl.Int64(),
    "series": pl.String(),
    "labels": pl.String(),
    "value": pl.Float64(),
    "region": pl.String(),
}
ALERTS: dict[str, pl.DataType] = {  # what Prometheus says of each judged rule whenever it is asked
    "t_ns": pl.Int64(),  # when it was asked
    "group": pl.String(),
    "rule": pl.String(),
    "state": pl.String(),  # an AlertState
    "active_ns": pl.Int64(),  # since when the expression has been true, by Prometheus' clock; null: it is not
    "labels": pl.String(),  # of that alert; a JSON object
    "region": pl.String(),
    "alerts": pl.Int32(),  # how many alerts the rule had, each in a row of its own; null: this row speaks for all (older runs, too many)
}
NOTIFICATIONS: dict[str, pl.DataType] = {  # what the suite's receiver heard of Alertmanager, a row an alert of a judged rule
    "t_ns": pl.Int64(),  # when it came
    "kind": pl.String(),  # a Notice
    "rule": pl.String(),  # the name of the alert; empty: about the receiver
    "starts_ns": pl.Int64(),  # since when the alert fires, by Prometheus' clock; null: about the receiver
    "detail": pl.String(),  # labels of the alert, or a text; a JSON object
    "region": pl.String(),
}
TRAINING: dict[str, pl.DataType] = {  # ledgers/training, ledgers/reference: what the ranks of a training job did, as they wrote it
    "t_ns": pl.Int64(),
    "kind": pl.String(),  # start, step, state, checkpoint, divergence, tracked, clock, end; see workloads/training/telemetry/ledger.py
    "attempt": pl.Int32(),  # counts the starts of the job
    "rank": pl.Int32(),
    "step": pl.Int64(),
    "host": pl.String(),
    "pid": pl.Int64(),
    "position": pl.Int64(),  # step: samples seen by all ranks after it
    "samples": pl.List(pl.Int64()),  # step: ids that this rank saw
    "loss_digest": pl.String(),  # step: tells two results apart to the last bit
    "outcome": pl.String(),  # step: applied, quarantined
    "digest": pl.String(),  # state: of the whole state, on which all ranks agreed
    "received_ns": pl.Int64(),  # when it reached the ledger's server, by that server's clock; null in older runs
    "detail": pl.String(),  # everything else, a JSON object
}
TABLES: dict[str, dict[str, pl.DataType]] = {
    "requests": REQUESTS,
    "events": EVENTS,
    "samples": SAMPLES,
    "schedule": SCHEDULE,
    "alerts": ALERTS,
    "notifications": NOTIFICATIONS,
}


LATER = frozenset({"region", "gap_end_ns", "max_visible_gap_ms", "connection", "received_ns", "alerts"})
"""Columns that older runs lack: they are read as null, and ``region`` as the default one."""


def in_columns(frame: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """Return the columns of ``schema``, in its order and types; of an older run, those of :data:`LATER` are filled in.

    Raises polars' errors: a column is missing, a value does not fit.
    """
    frame = frame.with_columns(pl.lit(None, schema[name]).alias(name) for name in schema if name in LATER - set(frame.columns))
    if "region" in schema:
        frame = frame.with_columns(pl.col("region").fill_null(DEFAULT_REGION))
    return frame.select([pl.col(name).cast(kind) for name, kind in schema.items()])
