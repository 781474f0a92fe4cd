"""What the platform is made of, as digests: trials are one set only if they met the same platform (:mod:`reports.night.sets`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from history.errors import TargetRefused
from kube.client import PARALLEL, Platform, api_errors, unless_forbidden, unless_gone
from kube.controllers.rolling import RESTARTED
from kube.controllers.wanted import controllers_of

DIGITS = 16


def platform_parts(platform: Platform) -> dict[str, str]:
    """Return a digest of the target file and of each lasting role's pod template, images and configuration, by what it is of.

    Configuration are the ConfigMaps that a template names, where this account may read them; a Secret is never read.
    Raises TargetRefused: the API server does not answer.
    """
    lasting = [name for name, role in platform.target.roles.items() if not role.of_run]
    with (
        api_errors(f"target {platform.target.name}: read what the platform is made of", TargetRefused),
        ThreadPoolExecutor(PARALLEL) as pool,
    ):
        of_roles = list(pool.map(lambda name: dict(_of_role(platform, name)), lasting))
    found = {f"{what} of {name}": value for name, parts in zip(lasting, of_roles, strict=True) for what, value in parts.items() if value}
    return {what: _digest(value) for what, value in {"target file": platform.target.model_dump(mode="json"), **found}.items()}


def _of_role(platform: Platform, name: str) -> Iterator[tuple[str, object]]:
    role, pods = platform.target.role(name), platform.pods(name)
    yield "images", sorted({status.image_id for pod in pods for status in pod.status.container_statuses or []})
    found = controllers_of(platform, role, pods)
    if not found:
        return
    templates = [_lasting(one.template) for one in found]
    yield "template", templates
    yield "replicas", [one.wanted for one in found]
    yield "configuration", {name: _contents(platform, name, role.namespace) for name in sorted(set(_config_maps(templates)))}


def _lasting(template: Any) -> Any:  # noqa: ANN401 - a pod template, or several
    """Return a template without the note of its last restart."""
    meta = template.get("metadata") if isinstance(template, dict) else None
    if not meta or RESTARTED not in (meta.get("annotations") or {}):
        return template
    notes = {key: value for key, value in meta["annotations"].items() if key != RESTARTED}
    others = {key: value for key, value in meta.items() if key != "annotations"}
    return template | {"metadata": others | ({"annotations": notes} if notes else {})}


def _config_maps(tree: Any) -> Iterator[str]:  # noqa: ANN401 - a part of a pod template
    """Yield the names of the ConfigMaps that a pod template names, as volumes, sources of the environment or single values."""
    for key, value in tree.items() if isinstance(tree, dict) else ():
        if key in {"configMap", "configMapRef", "configMapKeyRef"} and isinstance(value, dict) and value.get("name"):
            yield value["name"]
        yield from _config_maps(value)
    for item in tree if isinstance(tree, list) else ():
        yield from _config_maps(item)


def _contents(platform: Platform, name: str, namespace: str) -> object:
    found = unless_gone(lambda: unless_forbidden(lambda: platform.core.read_namespaced_config_map(name, namespace), None))
    return None if found is None else [found.data, found.binary_data]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:DIGITS]
