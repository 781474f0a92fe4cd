"""``python -m bench.images``: images built by the project beside their bounds, and what a session on a cluster of them said.

It reads what `make chaos-images` left: the cluster, which must run these very images, and the session's report.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.common.pages import page, parser_of, publish, table
from bench.common.tables import ROOT, Row, circumstances
from cluster.errors import ClusterError
from cluster.images import builds
from cluster.images.builds import Built
from cluster.machines.image import architecture
from cluster.machines.image_files import BUILT

REPORT = ROOT / "reports" / "out" / "latest" / "report.json"
COMMAND = "python -m bench.images --write docs/results/images.md"
REFUSED = 2
Object = dict[str, Any]


class NothingToShow(Exception):
    """There is no session on a cluster of these images; the sentence says what is missing."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a cluster says of an image: on how many of its nodes it is as large as the built one, and by which pods it runs."""

    nodes: int
    of_nodes: int
    pods: tuple[str, ...]


def main(arguments: list[str] | None = None) -> int:
    """Print the page; exit 1 if an image is above its bound or an experiment did not end as expected, 2 if there is nothing to show."""
    parser = parser_of("bench.images", __doc__)
    parser.add_argument("--cluster", default="local", help="the embedded cluster that was started with --images (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        made = [builds.built(image, architecture(), print) for image in BUILT]
        nodes, pods = (_objects(options.cluster, kind) for kind in ("nodes", "pods"))
        report = session_on(nodes, REPORT)
    except (NothingToShow, ClusterError) as error:
        print(f"images: {error}", file=sys.stderr)
        return REFUSED
    seen = {one.image.name: seen_of(one, nodes, pods) for one in made}
    publish(page_of(made, seen, report, circumstances()), options.write)
    missed = [one for one in made if one.too_large] + [one for one in report["experiments"] if one["counts_as"] != "PASS"]
    return int(bool(missed))


def _objects(cluster: str, kind: str) -> list[Object]:
    argv = [sys.executable, "-m", "cluster", "--name", cluster, "kubectl", "get", kind, "-A", "-o", "json"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NothingToShow(f"cluster {cluster} does not answer ({done.stderr.strip()[-200:]}); run make chaos-images")
    found: list[Object] = json.loads(done.stdout)["items"]
    return found


def session_on(nodes: list[Object], file: Path) -> Object:
    """Return the report of a session that began after the cluster's nodes did. Raises NothingToShow."""
    if not file.exists():
        raise NothingToShow(f"there is no {file}; run make chaos-images")
    report: Object = json.loads(file.read_text())
    began = max(datetime.fromisoformat(node["metadata"]["creationTimestamp"]) for node in nodes)
    if not report["run"]["started"] or datetime.fromisoformat(report["run"]["started"]) < began:
        raise NothingToShow(f"the session of {file} is older than the cluster's nodes ({began:%F %T}); run make chaos-images")
    return report


def seen_of(one: Built, nodes: list[Object], pods: list[Object]) -> Seen:
    """Return what a cluster says of a built image. Raises NothingToShow: a pod runs another one under its name."""
    holding, running = 0, []
    for node in nodes:
        sizes = [image["sizeBytes"] for image in node["status"].get("images", []) if f"docker.io/{one.image.name}" in image["names"]]
        holding += any(size >= one.packed_bytes for size in sizes)
    for pod in pods:
        name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        for status in pod["status"].get("containerStatuses", []):
            if status["image"].removeprefix("docker.io/") != one.image.name:
                continue
            if status["imageID"].rpartition("@")[2] not in (one.digest, one.config_digest):
                raise NothingToShow(
                    f"pod {name} runs {status['imageID']} as {one.image.name}, not the built one; make down, make chaos-images"
                )
            running.append(name)
    return Seen(holding, len(nodes), tuple(sorted(set(running))))


def page_of(made: list[Built], seen: dict[str, Seen], report: Object, now: Row) -> str:
    """Return the page (Markdown)."""
    sizes = [_size(one, seen[one.image.name]) for one in made]
    experiments = [
        (one["id"], one["verdict"], one["expect"]["verdict"], _rto(one), one["sentence"]) for one in sorted(report["experiments"], key=_id)
    ]
    as_expected = sum(one["counts_as"] == "PASS" for one in report["experiments"])
    head = f"{as_expected} of {len(experiments)} experiments ended as expected. Their pods see these images, not the machine's files."
    images = table(("image", "unpacked MB", "at most", "pulled MB", "on nodes", "pods that run it by its digest"), sizes)
    return page(
        "Images built by the project, and the smoke set on them", COMMAND, [now], head, images,
        "An image is made of Debian's packages, a lock of PyPI's and the project's files, packed as OCI layers and imported by containerd. "
        "Fault pods and ephemeral containers have ended when this is written: their image has no other content on any node.",
        table(("experiment", "verdict", "expected", "RTO s", "in words"), experiments),
    )  # fmt: skip


def _size(one: Built, seen: Seen) -> tuple[object, ...]:
    bound = builds.MOST_BYTES.get(one.image.name)
    nodes = f"{seen.nodes} of {seen.of_nodes}"
    most = f"{bound / 1e6:.0f}" if bound else "–"
    return (one.image.name, f"{one.unpacked_bytes / 1e6:.0f}", most, f"{one.packed_bytes / 1e6:.0f}", nodes, len(seen.pods))


def _id(experiment: Object) -> str:
    return str(experiment["id"])


def _rto(experiment: Object) -> str:
    found = [trial["rto_s"] for trial in experiment["trials"] if trial["rto_s"] is not None]
    return ", ".join(f"{one:.1f}" for one in found) or "–"


if __name__ == "__main__":
    sys.exit(main())
