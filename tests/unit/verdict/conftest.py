from __future__ import annotations

from functools import lru_cache

from history.reader import Run
from tests.support.truth import Built, Hit, World, build

HIT = World(hits=(Hit(0.2, 3.0),), streams=0.3)
NULL = World(fault="none", replaced=False, horizon_s=25.0)
SHAM = World(fault="sham", replaced=False, horizon_s=25.0)


@lru_cache(maxsize=32)
def built(world: World) -> Built:
    """Build a world once; runs are never changed in place."""
    return build(world)


def run_of(world: World) -> Run:
    return built(world).run
