"""Which image a training job's ranks run, to the digest: a tag may name another one tomorrow."""

from __future__ import annotations

from collections.abc import Iterable

from kube.client import Platform
from kube.objects import Pod
from runner.drivers.training.template import Template

DIGEST = "@sha256:"


def known_image(platform: Platform, template: Template) -> str:
    """Return the digest of the template's image; empty: it names a tag, and no pod of the namespace that ran it says which image that was.

    Raises ApiException.
    """
    if DIGEST in template.image:
        return _digest(template.image)
    return image_of(template, platform.pods_in(template.namespace))


def image_of(template: Template, pods: Iterable[Pod]) -> str:
    """Return the digest of what the newest of ``pods`` with the template's image runs, as its kubelet resolved it; empty: none began."""
    newest = sorted(pods, key=lambda pod: str(pod.metadata.creation_timestamp), reverse=True)
    return next((found for pod in newest if (found := _resolved(pod, template.image))), "")


def _resolved(pod: Pod, image: str) -> str:
    names = {container.name for container in pod.spec.containers if container.image == image}
    statuses = pod.status.container_statuses or []
    return next((_digest(status.image_id) for status in statuses if status.name in names and status.image_id), "")


def _digest(image: str) -> str:
    """Return ``sha256:…`` of ``repository@sha256:…``; an image that was never pulled has the digest alone."""
    return image.rpartition("@")[2]
