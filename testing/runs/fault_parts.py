"""What tests of faults ask: how a function is registered, and what a run noted of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from faults.mechanisms import fault_pod
from safety.fault_spec import FaultSpec, spec_of


def spec(function: Callable[..., Any]) -> FaultSpec:
    found = spec_of(function)
    assert found is not None, f"{function.__name__} is no fault"
    return found


def kinds(run_dir: Path) -> list[str]:
    """Return the kinds of the events that a live run on the fake cluster wrote, in order."""
    return [orjson.loads(line)["kind"] for line in (run_dir / "events.test.jsonl").read_text().splitlines()]


def fault_pods_told(monkeypatch: pytest.MonkeyPatch, did: str) -> list[fault_pod.FaultPod]:
    """Return the list that takes the fault pods which a fault would make; each of them says at once that it ``did`` its part."""
    told: list[fault_pod.FaultPod] = []
    monkeypatch.setattr(fault_pod, "create", lambda _run, planned: told.append(planned))
    monkeypatch.setattr(fault_pod, "armed", lambda *_: 0.0)
    monkeypatch.setattr(fault_pod, "_account", lambda *_: {"did": did})
    return told
