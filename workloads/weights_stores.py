"""The Services from which a variant's replicas fetch their weights: without them no replica ever starts."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from workloads.spread import Object

SETTING = "MODEL_URLS"


def stores_of(rendered: list[Object]) -> list[tuple[str, str]]:
    """Return namespace and name of each Service that the objects of a variant name in ``MODEL_URLS``, once, in order."""
    return list(dict.fromkeys(store for one in rendered if one["kind"] == "Deployment" for store in _of(one)))


def _of(deployment: Object) -> Iterator[tuple[str, str]]:
    containers = deployment.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])
    for setting in (env for container in containers for env in container.get("env", []) if env["name"] == SETTING):
        for url in setting.get("value", "").split(","):
            name, _, rest = (urlsplit(url.strip()).hostname or "").partition(".")
            if name:
                yield rest.partition(".")[0] or deployment["metadata"]["namespace"], name
