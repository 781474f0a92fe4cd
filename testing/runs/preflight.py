"""Requests for preflight, what it says when it refuses them, and an experiment's line and a cluster's state that tests change."""

from __future__ import annotations

from collections.abc import Callable

from runner.exits import REFUSED
from runner.messages import Kind
from runner.request import Request
from runner.run.child import run_request
from runner.stop import Stop
from testing.platform.fake_cluster import pod
from testing.runs.runner_cluster import RunnerCluster
from testing.runs.runner_parts import Sent

KILL = "module: testing.runs.runner_parts, func: kill, arguments: {role: inference}"
Make = Callable[..., Request]


def refusal(request: Request, sent: Sent) -> str:
    assert run_request(request, sent, Stop()) == REFUSED
    [text] = sent.texts(Kind.REFUSED)
    return text


def unready(cluster: RunnerCluster) -> None:
    cluster.pods["ml-serving", "inference-b"] = pod("inference-b", "gpu-b", ready=False)
