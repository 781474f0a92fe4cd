"""What happens to a job: each scenario breaks one thing for real, proves it, and lets the job's controller do its work."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import cast

from bench.training.power.disk import Disk, disk
from bench.training.power.job import POLL_S, RANKS, Forked, pid_of, rows, state_of, step, wait
from bench.training.power.scene import READY_CHECKPOINT, Scene, Spec
from cluster.host.commands import run
from kube.wait import until
from workloads.storage.bucket import create, s3_store
from workloads.storage.errors import StoreUnavailable
from workloads.storage.folder import FolderStore
from workloads.storage.server import S3Server, free_port
from workloads.training import data
from workloads.training.checkpoint.manifest import parse_key
from workloads.training.telemetry.mlflow_server import MlflowServer

GONE = ("", "Z", "X")
STOPPED = ("T", "t")


def kill(scene: Scene, rank: int = 1) -> None:
    """Send SIGKILL to a rank."""
    pid = pid_of(scene.job, rank)
    scene.fault("kill-rank", f"rank-{rank}")
    os.kill(pid, signal.SIGKILL)
    scene.proven("rank-gone", lambda: state_of(pid) in GONE)


def rank_killed(scene: Scene) -> None:
    """SIGKILL to one rank."""
    scene.begin()
    kill(scene)


def _newest(scene: Scene) -> tuple[Path, Path]:
    """Return a shard of the newest committed checkpoint, and the same rank's of the one before."""
    folders = scene.job.gang.checkpoints
    store = FolderStore(str(folders))
    saved = max(str(row["name"]) for row in scene.checkpoints(READY_CHECKPOINT))
    shards = [key for key in store.listing() if (parsed := parse_key(key)) and "shard-0" in key and str(parsed[0]) <= saved]
    older, newest = sorted(shards)[-2:] if len(shards) > 1 else (shards[-1], shards[-1])
    return folders / newest, folders / older


def _replace(scene: Scene, path: Path, content: bytes) -> None:
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    scene.fault("damage-checkpoint", "newest-checkpoint")
    path.write_bytes(content)
    scene.proven("digest-differs", lambda: hashlib.sha256(path.read_bytes()).hexdigest() != before)


def checkpoint_damaged(scene: Scene) -> None:
    """Flip one bit of a weight in the newest checkpoint on the disk, then kill a rank: what is resumed from shows."""
    scene.begin()
    path, _ = _newest(scene)
    content = bytearray(path.read_bytes())
    content[8 + int.from_bytes(content[:8], "little") + 41 + scene.seed] ^= 1  # among the first tensor's numbers, after the header
    _replace(scene, path, bytes(content))
    kill(scene)


def stale_shard(scene: Scene) -> None:
    """Put the older checkpoint's shard into the newest one, then kill a rank."""
    scene.begin()
    path, older = _newest(scene)
    _replace(scene, path, older.read_bytes())
    kill(scene)


def killed_while_saving(scene: Scene) -> None:
    """Kill rank 0 while it writes a checkpoint: it is stopped at that place first, so that the moment is known."""
    folder = scene.folder / "failpoints"
    folder.mkdir()
    scene.begin(settings={"failpoint_folder": folder})
    (folder / "save.before_shard").write_text("@rank=0=stop")
    pid = pid_of(scene.job, 0)
    until(lambda: state_of(pid) in STOPPED, 20, POLL_S)  # without tending the job: a fault must be seen before anybody repairs it
    kill(scene, 0)


def rank_hung(scene: Scene) -> None:
    """SIGSTOP to one rank: it is there, and does nothing."""
    scene.begin()
    pid = pid_of(scene.job, 1)
    scene.fault("stop-rank", "rank-1")
    os.kill(pid, signal.SIGSTOP)
    scene.proven("rank-stopped", lambda: state_of(pid) in STOPPED)


def tracking_frozen(scene: Scene) -> None:
    """Stop MLflow: it accepts calls and does not answer (SIGSTOP)."""
    folder = scene.folder / "tracking"
    folder.mkdir()
    server = MlflowServer(folder, free_port())
    scene.enter(server)
    scene.begin(settings={"tracking": f"{server.endpoint}/run"})
    pid = server.pid
    scene.fault("freeze-tracking", "tracking-server")
    os.kill(pid, signal.SIGSTOP)
    scene.proven("server-stopped", lambda: state_of(pid) in STOPPED)


def zone_lost(scene: Scene) -> None:
    """End one of two S3 servers, then kill a rank."""
    servers = [scene.enter(S3Server(scene.folder / zone)) for zone in ("zone-b", "zone-c")]
    urls = [server.url("checkpoints", "run") for server in servers]
    for url in urls:
        create(url, wait_s=10)
    single = scene.settings.pop("single_zone", False)
    scene.begin(stores=urls[0] if single else ",".join(urls))
    scene.fault("stop-s3", "s3-zone-b")
    servers[0].stop()
    scene.proven("s3-gone", lambda: not _answers(urls[0]))
    kill(scene)


def _answers(url: str) -> bool:
    try:
        s3_store(url).preflight()
    except StoreUnavailable:
        return False
    return True


def power_cut(scene: Scene) -> None:
    """Cut the power of disk and ranks at once: what was not synced is lost."""
    made = scene.enter(disk(scene.folder / "node"))
    root = made.mount / "checkpoints"
    root.mkdir()
    # what was written at the start is on the disk by itself after half a minute; what matters is what the ranks sync after that
    scene.begin(stores=f"file://{root}", started=lambda: run("sync", "--file-system", str(made.mount)))
    cut(scene, made)


def cut(scene: Scene, made: Disk) -> None:
    """Cut the power of the disk and of all ranks, switch it on again, and let the controller start the job."""
    job = cast(Forked, scene.job)
    job.held = True
    scene.fault("cut-power", "node")
    made.cut()
    job.end_ranks()
    scene.proven("disk-dead", lambda: made.dead)
    made.boot()
    job.held = False
    job.start()


def gang_returns(scene: Scene) -> None:
    """Freeze all ranks at a save (their node hangs), let the controller start new ones, and let the old ones go on."""
    folder = scene.folder / "failpoints"
    folder.mkdir()
    scene.begin(settings={"failpoint_folder": folder, "async_save": False})
    job = cast(Forked, scene.job)
    old = [rank.pid or 0 for rank in job.ranks]
    job.held = True
    scene.fault("freeze-ranks", "rank-0", "rank-1")
    for rank in range(RANKS):
        (folder / f"save.before_shard+{rank}").write_text(f"@rank={rank}=stop")
    scene.proven("ranks-stopped", lambda: all(state_of(pid) in STOPPED for pid in old))
    job.held = False
    job.start()
    until(lambda: any(row["attempt"] > 1 for row in rows(job, "step")), 60, POLL_S)
    for pid in old:
        with suppress(ProcessLookupError):  # the first that goes on and is fenced may take the other with it
            os.kill(pid, signal.SIGCONT)


def preempted(scene: Scene) -> None:
    """SIGTERM to all ranks, with time to save."""
    scene.begin()
    pids = [pid_of(scene.job, rank) for rank in range(RANKS)]
    scene.fault("preempt", "rank-0", "rank-1")
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    scene.proven("ranks-gone", lambda: all(state_of(pid) in GONE for pid in pids))


def slow_save(scene: Scene) -> None:
    """Slow one save down while training goes on, then kill a rank: that checkpoint is resumed from."""
    folder = scene.folder / "failpoints"
    folder.mkdir()
    scene.begin(settings={"failpoint_folder": folder})
    due = step(scene.job) // 10 * 10 + 10
    scene.fault("slow-storage", "storage")
    for rank in range(RANKS):
        (folder / f"save.before_shard+{rank}").write_text(f"@rank={rank}=sleep:0.3")
    scene.proven("save-took-longer", lambda: any(row["step"] >= due and row["seconds"] >= 0.3 for row in rows(scene.job, "checkpoint")))
    kill(scene)


def weights_flipped(scene: Scene) -> None:
    """Flip one bit of one rank's weights in memory."""
    folder = scene.folder / "failpoints"
    folder.mkdir()
    scene.begin(settings={"failpoint_folder": folder})
    scene.fault("flip-weight", "rank-1")
    (folder / "step").write_text("@rank=1=flip")
    scene.proven("failpoint-taken", lambda: not list(folder.iterdir()))


def object_overwritten(scene: Scene) -> None:
    """Overwrite the training data in the bucket and kill a rank; the operator restores the data and starts the job again."""
    server = scene.enter(S3Server(scene.folder / "s3"))
    url = server.url("training", "data")
    store = s3_store(url)
    if scene.settings.get("versioning") is False:
        store._client.create_bucket(Bucket="training")
    else:
        create(url, wait_s=10)
    data.create(store, 512, 0)
    scene.begin(settings={"data": url})
    good = store.get(data.FILE)
    scene.fault("overwrite-data", "dataset")
    store.put(data.FILE, good[: len(good) // 2])
    scene.proven("digest-differs", lambda: store.get(data.FILE) != good)
    kill(scene)
    wait(scene.job, lambda: scene.job.ended, 60)
    restore = [sys.executable, "-m", "workloads.storage.restore", "--store", url, "--record", data.RECORD]
    if subprocess.run(restore, capture_output=True, check=False).returncode == 0:
        scene.job.start()


RANK, GONE_BY = ("rank-1",), ("rank-gone",)
DAMAGED = ("newest-checkpoint", "rank-1"), ("digest-differs", "rank-gone")
SCENARIOS = (
    Spec("rank-killed", "A rank is killed", RANK, GONE_BY, rank_killed),
    Spec("rank-killed-torchrun", "A rank is killed, under torchrun", RANK, GONE_BY, rank_killed, torchrun=True, rto_s=120),
    Spec("checkpoint-damaged", "A bit of the newest checkpoint flips, and a rank is killed", *DAMAGED, checkpoint_damaged, 40),
    Spec("stale-shard", "A shard of the newest checkpoint is stale, and a rank is killed", *DAMAGED, stale_shard, 40),
    Spec("killed-while-saving", "Rank 0 is killed while it saves", ("rank-0",), GONE_BY, killed_while_saving, 30),
    Spec("rank-hung", "A rank hangs", RANK, ("rank-stopped",), rank_hung),
    Spec("tracking-frozen", "The tracking server hangs", ("tracking-server",), ("server-stopped",), tracking_frozen),
    Spec("zone-lost", "An S3 server is lost, and a rank is killed", ("s3-zone-b", "rank-1"), ("s3-gone", "rank-gone"), zone_lost),
    Spec("power-cut", "The node with the checkpoints loses its power", ("node",), ("disk-dead",), power_cut),
    Spec("gang-returns", "Frozen ranks come back after others took over", ("rank-0", "rank-1"), ("ranks-stopped",), gang_returns, 30),
    Spec("preempted", "The ranks are told to leave", ("rank-0", "rank-1"), ("ranks-gone",), preempted, 2),
    Spec("slow-save", "A save is slow, and a rank is killed", ("storage", "rank-1"), ("save-took-longer", "rank-gone"), slow_save),
    Spec("weights-flipped", "A weight of one rank flips in memory", RANK, ("failpoint-taken",), weights_flipped),
    Spec("data-overwritten", "The training data are overwritten", ("dataset", "rank-1"), DAMAGED[1], object_overwritten),
)
