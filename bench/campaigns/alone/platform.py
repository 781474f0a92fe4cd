"""What is hit: two of the kill campaign's small platforms, and beside one of them a server with a volume and a job of two ranks.

The ranks are stand-ins: they meet nobody and learn nothing, but they go through the real failpoints of a training job at every step, under
a parent that starts them again and says so as torchrun does. The server's volume holds a finished checkpoint and its sealed record.
"""

from __future__ import annotations

from typing import Any

from bench.campaigns.kill import platform as small
from bench.campaigns.kill.platform import SLOTS, Slot
from target.suite_image import PROJECT

STORE, RANK, VOLUME, FOLDER, JOB = "store", "rank", "data", "objects/training", "bench"
PODS, NODES = (next(slot for slot in SLOTS if slot.name == name) for name in ("a1", "b"))
"""The slot of everything but nodes and devices, and theirs."""
RANK_MIB, EATS_MIB, RANKS_WANTED = 96, 512, 2
FAILPOINTS = "/run/failpoints"
AT_WORK = "rank-at-work"  # among the words of a rank, and in none of its parent's
CHECKPOINT = "step-00000001"
RANKS = f"""
import http.server, subprocess, sys, threading, time
rank = "import os, sys, time; sys.path.insert(0, {PROJECT!r}); from workloads.training.failpoints import Failpoints\\n"
rank += "points, step = Failpoints(folder={FAILPOINTS!r}), 0\\n"
rank += "while True: points.hit('step', step); step += 1; time.sleep(0.2)"
def ranks():
    while True:
        done = subprocess.run([sys.executable, "-c", rank, {" ".join(AT_WORK.split("-"))!r}.replace(" ", "-")])
        print(f"exitcode: {{done.returncode}})", flush=True)
threading.Thread(target=ranks, daemon=True).start()
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("", 8000), Answer).serve_forever()
"""
STORED = f"""
import hashlib, json, pathlib
folder = pathlib.Path("/data/{FOLDER}/runs/{JOB}/{CHECKPOINT}")
folder.mkdir(parents=True, exist_ok=True)
shard = bytes(range(256)) * 256
(folder / "shard-0").write_bytes(shard)
files = {{"shard-0": {{"sha256": hashlib.sha256(shard).hexdigest(), "bytes": len(shard)}}}}
record = {{"body": {{"files": files}}}}
text = json.dumps(record, sort_keys=True, separators=(",", ":"))
(folder / "manifest.json").write_text(json.dumps(record | {{"sha256": hashlib.sha256(text.encode()).hexdigest()}}))
"""


def target(slot: Slot, host: dict[str, Any]) -> dict[str, Any]:
    """Return the target file of a slot, on the cluster of the target file ``host``."""
    made = small.target(slot, host)
    if slot is PODS:
        role = {"namespace": slot.namespace, "container": "server", "health": {"port": 8000}}
        store = {"buckets": "/data/objects", "kept": "/data/originals", "checkpoints": "training/runs"}
        made["roles"][STORE] = role | {"selector": f"app={STORE}", "controller": {"name": STORE}, "object_store": store}
        made["roles"][RANK] = role | {"selector": f"app={RANK}", "of_run": True, "process": {"match": AT_WORK}}
    return made


def objects(image: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the server with a volume (a Deployment) and the ranks (a Job) as manifests."""
    store = small.deployment(PODS, image, STORE, 1, {})
    template = store["spec"]["template"]["spec"]
    (server,) = template["containers"]
    server["command"] = ["python3", "-c", STORED + small.SERVER]
    server["volumeMounts"] = [{"name": VOLUME, "mountPath": "/data"}]
    template |= {"volumes": [{"name": VOLUME, "emptyDir": {}}], "securityContext": user()}
    return store, _job(image)


def _job(image: str) -> dict[str, Any]:
    ranks = small.deployment(PODS, image, RANK, 1, {"limits": {"memory": f"{RANK_MIB}Mi"}})
    template = ranks["spec"]["template"]
    (server,) = template["spec"]["containers"]
    server |= {
        "command": ["python3", "-c", RANKS],
        "env": [{"name": "TRAIN_FAILPOINT_FOLDER", "value": FAILPOINTS}],
        "volumeMounts": [{"name": "failpoints", "mountPath": FAILPOINTS}],
    }
    template["spec"] |= {"restartPolicy": "OnFailure", "volumes": [{"name": "failpoints", "emptyDir": {}}], "securityContext": user()}
    spec = {
        "completionMode": "Indexed",
        "completions": RANKS_WANTED,
        "parallelism": RANKS_WANTED,
        "backoffLimit": 100,
        "template": template,
    }
    return {"metadata": {"name": RANK, "namespace": PODS.namespace}, "spec": spec}


def user() -> dict[str, int]:
    """Return under whom a pod runs: a program beside it must run as the same user and group."""
    return {"runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532}
