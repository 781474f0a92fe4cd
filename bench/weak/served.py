"""Waiting until users of the model are served: a platform that calls itself ready too early has rolled out before it can answer."""

from __future__ import annotations

import time
from pathlib import Path

import requests
import yaml

from kube.wait import until

REQUEST = {"model": "aftershock-ring", "prompt": "the ", "max_tokens": 1}
STEADY_S, WITHIN_S, ANSWER_S = 10.0, 240.0, 5.0


def await_served(target: Path, steady_s: float = STEADY_S, within_s: float = WITHIN_S) -> str:
    """Ask the endpoint of ``target`` until every request of ``steady_s`` was answered; return what is wrong otherwise, in words."""
    url = f"{_endpoint(target)}/v1/completions"
    since_s, said = time.monotonic(), "no request failed"

    def steady() -> bool:
        nonlocal since_s, said
        if refusal := _refusal(url):
            since_s, said = time.monotonic(), refusal
        return time.monotonic() - since_s >= steady_s

    return (
        "" if until(steady, within_s) else f"{url} did not answer for {steady_s:g} s without a break within {within_s:g} s (last: {said})"
    )


def _refusal(url: str) -> str:
    """Return why one request was not answered; empty: it was."""
    try:
        answer = requests.post(url, json=REQUEST, timeout=ANSWER_S)
    except requests.RequestException as error:
        return type(error).__name__
    return "" if answer.ok else f"status {answer.status_code}"


def _endpoint(target: Path) -> str:
    regions = yaml.safe_load(target.read_text())["regions"]
    return str(next(iter(regions.values()))["endpoints"]["inference"])
