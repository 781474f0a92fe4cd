"""A plan to start from: each test and bench says only what matters to it."""

from __future__ import annotations

from collections.abc import Mapping

from history.plan import Plan

Fields = Mapping[str, object]
EXPERIMENT: Fields = {
    "id": "serving/replica-killed", "title": "A serving replica is killed", "description": "", "tags": (),
    "hypothesis": "users are served within the SLO", "fault": "fault", "digest": "",
}  # fmt: skip
TARGET: Fields = {"name": "local", "context": "aftershock", "server": "https://10.77.0.2:6443", "namespaces": ("ml-serving",)}
LOAD: Fields = {
    "url": "http://127.0.0.1:8080", "model": "tiny", "prompts": "prompts.jsonl", "in_flight_cap": 400, "timeout_s": 4, "seed": 7,
}  # fmt: skip
JOB: Fields = {
    "template": "trainer", "namespace": "ml-training", "job": "r", "ranks": 2, "pods": 2, "steps": 60, "batch": 8, "max_restarts": 9,
    "interval_steps": 10, "ledger": "ledger:8100", "reference": "reference",
}  # fmt: skip


def plain_plan(
    *, experiment: Fields, target: Fields | None = None, load: Fields | None = None, training: Fields | None = None, **fields: object
) -> Plan:
    """Return a plan of requests, or of the training job whose fields ``training`` names; every part is completed from the plain one."""
    drive = {"training": {**JOB, **training}} if training is not None else {"load": {**LOAD, **(load or {})}}
    plain = {"created_ns": 0, "seed": 7, "profile": "smoke", "workload": "realtime-inference" if training is None else "batch-training"}
    parts = {"experiment": {**EXPERIMENT, **experiment}, "target": {**TARGET, **(target or {})}}
    return Plan.model_validate({**plain, **parts, **drive, **fields})
