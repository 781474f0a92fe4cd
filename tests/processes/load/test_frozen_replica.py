"""Three replicas behind a balancer of connections, one of them stopped: shared connections hardly meet it, and the check says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from history.connection_policy import ConnectionPolicy
from history.result import Verdict
from testing.load.frozen_replica import RATE_RPS, SLO_S, freeze

pytestmark = pytest.mark.quiet


def test_shared_connections_hardly_meet_a_frozen_replica_and_the_check_says_so(tmp_path: Path) -> None:
    seen = freeze(tmp_path, ConnectionPolicy(mode="shared"))
    assert seen.exposure.verdict is Verdict.INCONCLUSIVE
    assert "let users have connections of their own" in seen.exposure.sentence
    assert seen.bad is not None
    assert seen.bad < RATE_RPS * seen.truth_s / 6  # half of a fair share


@pytest.mark.parametrize(
    "policy", [ConnectionPolicy(mode="users", users=50), ConnectionPolicy(mode="each_request")], ids=lambda one: one.mode
)
def test_users_with_connections_of_their_own_find_the_truth(policy: ConnectionPolicy, tmp_path: Path) -> None:
    seen = freeze(tmp_path, policy)
    assert seen.exposure.verdict is Verdict.PASS
    assert seen.rto_s is not None
    assert seen.truth_s - SLO_S - 1.5 < seen.rto_s < seen.truth_s + 1.5  # who asks so shortly before the end is answered in time
