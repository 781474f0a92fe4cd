"""The weights that replicas fetch when they start, overwritten in the object stores that keep them.

Mechanism: the program of :mod:`faults.training_data` uploads them again, damaged. When its time is over, it restores the newest good
version, and ``heal`` does where it is lost. Servers that run keep what they have loaded. One that starts meanwhile is given these weights,
and must not serve by them. A store that gives none is :func:`faults.object_store.refuse_requests`.
"""

from __future__ import annotations

from random import Random

from faults.mechanisms.beside_server import beside_server, kind_of, resolve_servers
from faults.mechanisms.uploads import store_url, upload_damaged
from history.plan import ResolvedTarget
from kube.client import Platform
from safety import active_run
from safety.fault_spec import Arguments, KillTrial
from target.object_store import model_of

KINDS = ("other-numbers", "bit-flip", "zeroed-page", "truncation")
ENDS = "its program restores the newest good version when its time is over"
EFFECT = "the stored weights"  # the verdict knows this fault by it


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    kind, role = kind_of("overwrite", arguments, KINDS), arguments["role"]
    store_url(platform, role, model_of(platform.target.role(role).object_store, role))
    return resolve_servers(platform, arguments, rng, "overwrite", effect=f"{EFFECT} uploaded again with {kind}", ends=ENDS)


@beside_server(
    resolve=_resolve,
    ends=ENDS,
    evidence=("probes.weights.damaged",),
    killed=KillTrial(left_out="weights in an object store are needed"),
)
def overwrite(role: str, for_s: float, kind: str = "other-numbers", count: int = 1) -> dict[str, object]:
    """Upload the weights that replicas fetch again, damaged, to ``count`` object stores; after ``for_s`` seconds restore the good version.

    What is restored is what the stores have. A replica that loaded the damaged weights without verifying them serves by them until it is
    restarted: healing does not see that, and restarts nobody.

    Args:
        role: the stores'.
        for_s: how long the damaged weights stay (s, at most 120).
        kind: ``other-numbers`` (a valid safetensors file of the same size, with each number in another's place; other files stay as they
            are), ``bit-flip``, ``zeroed-page`` or ``truncation``. All files together have at most 512 MiB, else nothing is done.
        count: how many stores.

    Raises:
        TargetRefused: no live run.
        FaultFailed: the program could not be started beside a server, or could not act.

    """
    model = model_of(active_run.require().platform.target.role(role).object_store, role)
    return upload_damaged(role, model, EFFECT, for_s=for_s, kind=kind, count=count)
