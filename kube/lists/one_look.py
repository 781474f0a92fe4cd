"""One look at a platform: questions that are asked several times within it go to the API server once."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from kube.client import Platform
from kube.objects import Pod


@dataclass(frozen=True, slots=True)
class OneLook(Platform):
    """A platform whose lists of pods stay as they were when they were first asked for. It is for one look: nothing that waits uses it."""

    seen: dict[tuple[str, str], list[Pod]] = field(default_factory=dict)

    def pods_in(self, namespace: str, selector: str = "") -> list[Pod]:
        """Return the V1Pods as :meth:`kube.client.Platform.pods_in` does, asked for once. Raises ApiException."""
        key = (namespace, selector)
        if key not in self.seen:
            self.seen[key] = Platform.pods_in(self, namespace, selector)  # this class has slots: super() would not find it
        return list(self.seen[key])


def one_look(platform: Platform) -> OneLook:
    """Return ``platform`` for one look at it, from now."""
    return OneLook(**{one.name: getattr(platform, one.name) for one in fields(platform) if one.name != "seen"})
