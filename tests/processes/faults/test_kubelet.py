"""The kubelet of a node is found by who serves its port: with k3s, k0s and MicroK8s no executable of that name runs."""

from __future__ import annotations

import pytest

from faults.node_agent.node import kubelets, listeners
from testing.platform.other_kubelet import other_kubelet

TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:280A 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0
   1: 0100007F:280A 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100 0 0 10 0
   2: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0 0 10 0
   0: 00000000000000000000000000000000:280A 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 444 1 0 100 0 0 10 0
"""


def test_only_sockets_that_listen_at_the_port_count() -> None:
    assert listeners(TABLE, 10250) == {"111", "444"}


@pytest.mark.parametrize("host", ["127.0.0.1", "::"])
@pytest.mark.parametrize("forks", [False, True])
def test_a_program_of_another_name_that_serves_the_port_is_found(host: str, forks: bool) -> None:
    with other_kubelet("k3s", host, forks=forks) as (pid, port):
        assert kubelets(port) == [pid]
