"""What an experiment may do although the blast radius would refuse it: ``allow`` in its extension."""

from __future__ import annotations

from history.values import Written


class Allow(Written):
    """Each key lifts one bound for one experiment."""

    last_replica: bool = False  # leave a role without any ready replica
    share_of_role: bool = False  # touch more of a role than the target's limit
    bypass_pdb: bool = False  # delete a pod whose eviction a disruption budget refuses, if all other pods of that budget are Ready
    cluster_wide: bool = False  # stop what a whole cluster depends on, or make an object of it; the embedded cluster needs no leave
    overload: bool = False  # offer a class much more than its load; the embedded cluster needs no leave
    without_capacity: bool = False  # displace pods for which no other node has room; looked at in preflight
