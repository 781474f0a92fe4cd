"""The experiment and target files of a case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bench.mutations.cases import Case
from testing.platform.targets import PATIENT_SLO

FREEZE_S = 14
WINDOW_S = 3
LATENCY_MS = 2000
PACKAGE = "bench.mutations"
Document = dict[str, Any]


def write_files(case: Case, folder: Path, root: Path) -> tuple[Path, Path]:
    """Write experiment and target of ``case`` into ``folder``; return the experiments' folder and the target file."""
    experiments, target = folder / "experiments", folder / "target.yaml"
    experiments.mkdir(parents=True, exist_ok=True)
    (experiments / "mutated.yaml").write_text(yaml.safe_dump(experiment(case), sort_keys=False))
    target.write_text(yaml.safe_dump(platform(case, root), sort_keys=False))
    return experiments, target


def experiment(case: Case) -> Document:
    """Return the experiment of ``case``."""
    action = _freeze(case) if case.freeze else _kill(case)
    queue = [_probe("queue", [0, 50], "probes.queue", "depth", **case.queue)] if case.queue else []
    latency = _probe("latency", [0, LATENCY_MS], f"{PACKAGE}.probes", "latency", how=case.probe)
    extension = {
        "name": "aftershock",
        "workload": "realtime-inference",
        "fault": "fault" if case.role != "decoy" or case.freeze else "sham",
        "budgets": {"rto": "30s", "rpo_requests": 0, "availability": f"50% over {WINDOW_S + (FREEZE_S if case.freeze else 0)}s"},
        "evidence": [_evidence(case)],
        "deadline": "30s",
    }
    return {
        "title": case.name,
        "description": f"Mutated: {case.part}.",
        "steady-state-hypothesis": {"title": "users are served fast", "probes": [latency, *queue]},
        "method": [{"type": "action", "name": "freeze" if case.freeze else "kill", "provider": action}],
        "rollbacks": [{"type": "action", "name": "replace", "provider": _python("faults.processes", "replace")}] if case.freeze else [],
        "runtime": {"rollbacks": {"strategy": "always"}},
        "extensions": [extension | case.extension],
    }


def platform(case: Case, root: Path) -> Document:
    """Return the target of ``case``: the embedded platform with an SLO that few requests support, also where the machine is busy."""
    target: Document = yaml.safe_load((root / "targets" / "local.yaml").read_text())
    target["limits"] = limits()
    serving = target["workloads"]["realtime-inference"]
    serving["slo"] |= PATIENT_SLO
    serving["load"] |= {"rate_rps": 15} | case.target
    target["workloads"] = {"realtime-inference": serving}
    return target


def limits() -> Document:
    """Return how much the faults of the table may touch: whole roles."""
    return {"pods": 3, "nodes": 2, "share_of_role": "100%"}


def _kill(case: Case) -> Document:
    return _python(f"{PACKAGE}.faults", "kill", role=case.role, count=case.count, how=case.fault)


def _freeze(case: Case) -> Document:
    return _python(f"{PACKAGE}.faults", "freeze", role="inference", for_s=FREEZE_S, how=case.fault)


def _evidence(case: Case) -> Document:
    if case.freeze:
        seen = _python("probes.processes", "frozen", activity="freeze")
        return {"type": "probe", "name": "engine-frozen", "tolerance": True, "provider": seen}
    seen = _python(f"{PACKAGE}.probes", "gone", activity="kill", how=case.evidence)
    return {"type": "probe", "name": f"{case.role}-gone", "tolerance": True, "provider": seen}


def _probe(name: str, within: list[float], module: str, func: str, **arguments: object) -> Document:
    tolerance = {"type": "range", "range": within}
    return {"type": "probe", "name": name, "tolerance": tolerance, "provider": _python(module, func, **arguments)}


def _python(module: str, func: str, **arguments: object) -> Document:
    return {"type": "python", "module": module, "func": func} | ({"arguments": arguments} if arguments else {})
