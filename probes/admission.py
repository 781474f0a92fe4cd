"""Evidence that new pods are refused: what the API server answers when it is asked about one, and what it told controllers."""

from __future__ import annotations

from history.errors import NoData
from history.plan import NAMESPACE
from kube.client import api_errors
from probes.targets import targets_of
from safety import active_run, new_pods


def refused(activity: str) -> bool:
    """Tell whether the API server would refuse a new pod in the namespace of ``activity``, and names its webhook or quota as the reason.

    It is asked by a server-side dry run: nothing is made. Raises NoData: it refuses for another reason, or does not answer.
    """
    run, name = active_run.require(), _name(activity)
    for target in targets_of(activity, NAMESPACE):
        with api_errors(f"ask whether a new pod would be let into namespace {target.name}", NoData):
            words = new_pods.refusal(run.platform, target.name)
        if words and name not in words:
            raise NoData(f"namespace {target.name}: a new pod would be refused, but not by {name}: {words}; find out who refuses it")
        if not words:
            return False
    return True


def not_replaced(activity: str) -> bool:
    """Tell whether a controller in the namespace of ``activity`` wanted a new pod and was refused it by its webhook or quota.

    Its Event ``FailedCreate``, or that condition of its ReplicaSet, quotes the API server. It is seen only if something was lost
    meanwhile. Raises NoData: no answer.
    """
    run, name = active_run.require(), _name(activity)
    with api_errors(f"read what controllers were told because of {activity}", NoData):
        said = [words for target in targets_of(activity, NAMESPACE) for words in new_pods.said_to_controllers(run.platform, target.name)]
    return any(name in words for words in said)


def _name(activity: str) -> str:
    return new_pods.name_of(active_run.require().plan.run_id, activity)
