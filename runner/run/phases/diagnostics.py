"""Keeping diagnostics (``scene/``): logs, Events and descriptions of what was hit or does not work, before anything is healed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import urllib3
from kubernetes.client.exceptions import ApiException

from history.errors import AftershockError
from history.workloads import RequestsPlan
from kube.client import Platform, api_errors, ready
from kube.lists.paging import METADATA_PAGE, listed
from kube.objects import Pod
from runner.redact import redact_object
from runner.run.context import Context
from target.secrets.hiding import excerpt, redact_text

LIMIT_S = 8.0
PARALLEL = 8
MOST_PODS = 24
TAIL_LINES, TAIL_BYTES = 2000, 262_144
REQUEST_S = (2, 4)
Job = Callable[[], None]


def keep_diagnostics(context: Context) -> None:
    """Write what can be had within 8 s into ``scene/``; what cannot be had is noted, never raised."""
    folder = context.run.run_dir / "scene"
    folder.mkdir(exist_ok=True)
    diagnostics = Diagnostics(context.run.platform, folder, _secrets(context))
    pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="scene")
    until_s = time.monotonic() + LIMIT_S
    try:
        jobs = [*diagnostics.namespace_jobs(context), *diagnostics.pod_jobs(context), *diagnostics.node_jobs(context)]
        wait([pool.submit(diagnostics.try_to, job) for job in jobs], timeout=max(0.0, until_s - time.monotonic()))
    except AftershockError as error:
        diagnostics.missing.append(str(error))
    finally:  # a stop request waits for none of it
        pool.shutdown(wait=False, cancel_futures=True)
        if diagnostics.missing:
            (folder / "missing.txt").write_text("\n".join(diagnostics.missing) + "\n")


class Diagnostics:
    """Copies things of a platform into a folder, without credentials."""

    def __init__(self, platform: Platform, folder: Path, secrets: tuple[str, ...]) -> None:
        self._platform, self._folder, self._secrets = platform, folder, secrets
        self.missing: list[str] = []

    def try_to(self, job: Job) -> None:
        """Do one copy; what the API server refuses is noted."""
        try:
            job()
        except (ApiException, urllib3.exceptions.HTTPError, OSError) as error:
            self.missing.append(f"{type(error).__name__}: {excerpt(str(error).splitlines()[0], 200)}")

    def namespace_jobs(self, context: Context) -> list[Job]:
        """Return jobs for the Events of the platform's namespaces."""
        names = sorted({role.namespace for role in context.run.platform.target.roles.values()} | {"default"})
        return [partial(self._events, name) for name in names]

    def pod_jobs(self, context: Context) -> list[Job]:
        """Return jobs for pods that were hit, are not ready, restarted, or were made since the fault."""
        since = context.toolkit_journal.start
        names = {target.name for target in context.run.all_targets()} | {target.node for target in context.run.all_targets()}
        with api_errors("diagnostics: list the platform's pods", AftershockError):
            pods = [pod for role in self._platform.target.roles for pod in self._platform.pods(role, finished=True)]
        chosen = [pod for pod in pods if of_interest(pod, names, since)][:MOST_PODS]
        jobs: list[Job] = []
        for pod in chosen:
            jobs.append(partial(self._describe, f"pod.{pod.metadata.name}", pod))
            for status in pod.status.container_statuses or []:
                jobs.append(partial(self._log, pod, status.name, False))
                if status.restart_count:
                    jobs.append(partial(self._log, pod, status.name, True))
        return jobs

    def node_jobs(self, context: Context) -> list[Job]:
        """Return jobs for the nodes that were hit."""
        names = sorted({target.node for target in context.run.all_targets() if target.node})
        return [partial(self._node, name) for name in names]

    def _events(self, namespace: str) -> None:
        found = listed(self._platform.core.list_namespaced_event, namespace, page=METADATA_PAGE, _request_timeout=REQUEST_S).items
        self._describe(f"events.{namespace}", {"items": found})

    def _node(self, name: str) -> None:
        self._describe(f"node.{name}", self._platform.core.read_node(name, _request_timeout=REQUEST_S))

    def _describe(self, name: str, thing: object) -> None:
        api: Any = self._platform.api  # the library ships no types for this
        plain = redact_object(api.sanitize_for_serialization(thing), self._secrets)
        (self._folder / f"{name}.json").write_text(json.dumps(plain, indent=1, default=str))

    def _log(self, pod: Pod, container: str, previous: bool) -> None:
        read: Any = self._platform.core.read_namespaced_pod_log  # the library's types are wrong about time-outs
        limits = {"tail_lines": TAIL_LINES, "limit_bytes": TAIL_BYTES, "_request_timeout": REQUEST_S}
        text = str(read(pod.metadata.name, pod.metadata.namespace, container=container, previous=previous, **limits))
        name = f"{pod.metadata.name}.{container}{'.previous' if previous else ''}.log"
        (self._folder / name).write_text(redact_text(text, self._secrets))


def of_interest(pod: Pod, names: set[str | None], since: datetime) -> bool:
    """Tell whether a pod was hit (by name or with its node), is not ready, restarted, or was made since ``since``."""
    restarts = sum(status.restart_count for status in pod.status.container_statuses or [])
    hit = pod.metadata.name in names or pod.spec.node_name in names
    made = pod.metadata.creation_timestamp is not None and pod.metadata.creation_timestamp >= since
    return hit or made or restarts > 0 or not ready(pod)


def _secrets(context: Context) -> tuple[str, ...]:
    users = context.run.plan.of(RequestsPlan)
    return tuple(value for name in (users.load.variables() if users else ()) if (value := os.environ.get(name, "").strip()))
