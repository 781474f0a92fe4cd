"""What preflight learns of an endpoint: by real requests of the load's own program, and by what the environment says of proxies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies

from history.workloads import Load
from runner.drivers.requests.load import ROOT

COMMAND = ("-m", "workloads.load.trial")
START_S = 60.0  # importing, on a busy machine, and what is asked again
ASKED = 4  # requests one after another, at most: three tries, and one of the other API


def lacking(load: Load, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return what the load needs of this machine and is not there, a sentence each: variables, certificates, prompts."""
    unset = [f"{key}: the environment variable {name} is not set" for name, key in load.variables().items() if not environment.get(name)]
    files = load.files() | {load.prompts: "load.prompts"}
    return unset + [f"{key}: {path} is not a file" for path, key in files.items() if not Path(path).is_file()]


def refusals(load: Load) -> list[str]:
    """Send one request of each kind in the mix; return what stands against the load, a sentence each."""
    limit_s = START_S + ASKED * load.timeout_s
    try:
        tried = subprocess.run(
            [sys.executable, *COMMAND], input=load.model_dump_json().encode(), capture_output=True, timeout=limit_s, cwd=ROOT, check=False
        )
    except subprocess.TimeoutExpired:
        return [f"endpoint {load.endpoint}: the requests of preflight had no end after {limit_s:.0f} s; see load.timeout"]
    if tried.returncode:
        said = tried.stderr.decode(errors="replace").strip().splitlines()
        return [
            f"endpoint {load.endpoint}: preflight's requests could not be sent: {said[-1] if said else f'exit code {tried.returncode}'}"
        ]
    found: list[str] = json.loads(tried.stdout)
    return found


def proxy_of(url: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return the variable that names a proxy for ``url`` in this environment, empty if none does (NO_PROXY exempts it)."""
    if not get_environ_proxies(url):
        return ""
    meant = (f"{urlsplit(url).scheme}_proxy", "all_proxy")
    return next((name for wanted in meant for name in environment if name.lower() == wanted), "")
