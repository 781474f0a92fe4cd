"""Permissions are asked one by one, and the missing ones are named."""

from __future__ import annotations

import pytest

from history.errors import TargetRefused
from kube import permissions
from kube.permissions import Permission
from testing.platform.fake_cluster import FakeCluster

EVICT = Permission("create", "pods/eviction", namespace="ml-serving")
CORDON = Permission("patch", "nodes")
LEASE = Permission("update", "leases", "coordination.k8s.io", "aftershock")


def test_missing_permissions_are_named() -> None:
    cluster = FakeCluster()
    cluster.denied = {("create", "pods/eviction"), ("patch", "nodes")}
    assert permissions.missing(cluster.platform(), [LEASE, EVICT, CORDON, EVICT]) == [EVICT, CORDON]
    with pytest.raises(TargetRefused, match=r"may not create pods/eviction in ml-serving; patch nodes in the whole cluster; grant these"):
        permissions.require(cluster.platform(), [LEASE, EVICT, CORDON])


def test_granted_permissions_pass() -> None:
    permissions.require(FakeCluster().platform(), [LEASE, EVICT, CORDON])


def test_the_suite_itself_asks_for_nothing_that_changes_the_platform() -> None:
    platform = FakeCluster().platform()
    for permission in permissions.suite_permissions(platform):
        assert permission.verb in {"get", "list", "watch"} or permission.namespace == platform.target.suite.namespace
