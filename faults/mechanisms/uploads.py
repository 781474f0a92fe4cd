"""Files that a sealed record lists, uploaded again, damaged, through the S3 server that keeps them; restored when the time is over.

The server's own client does both, in an ephemeral container beside it (:mod:`faults.mechanisms.beside_server`).
"""

from __future__ import annotations

from faults.mechanisms.beside_server import container_of, kept_by, start_beside_servers
from kube.client import Platform
from safety import active_run
from safety.data_damage import TRAINING_DATA, DataDamage
from target.object_store import Recorded, access_of


def store_url(platform: Platform, role: str, files: Recorded) -> str:
    """Return the files' address for a client beside the server. Raises ConfigError: the role does not say how it is reached."""
    access = access_of(platform.target.role(role).object_store, role)
    return f"s3://{files.folder}?endpoint=http://127.0.0.1:{access.port}&region={access.region}"


def upload_damaged(role: str, files: Recorded, what: str, *, for_s: float, kind: str, count: int) -> dict[str, object]:
    """Upload ``files`` (in words: ``what``) again, damaged, to the targets, which are ``count`` servers of ``role``, for ``for_s`` seconds.

    Raises:
        TargetRefused: no live run.
        ConfigError: the role does not say how its server is reached.
        FaultFailed: the program could not be started beside a server, or could not act.

    """
    url = store_url(active_run.require().platform, role, files)
    about = (url, "--record", files.record, "--outcome", f"{kept_by(role)}.json")
    damage = DataDamage(
        container=container_of(role),
        what=f"{what} that {files.record} lists in {url}",
        good="the newest version of each object that has the SHA-256 in the record; the bucket keeps versions",
        program=TRAINING_DATA,
        arguments=(*about, "--undo"),
        by_hand="copy that version of each object over the newest one (aws s3api copy-object)",
    )

    def words(seed: int) -> tuple[str, ...]:
        return (*about, "--kind", kind, "--for", str(for_s), "--seed", str(seed))

    return start_beside_servers(role, for_s, damage, words) | {"kind": kind, "count": count}
