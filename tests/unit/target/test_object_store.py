"""Where a role keeps its objects: what is wrong is said with its key, and what a fault needs and the role lacks, with the key to add."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faults import checkpoints, training_data, weights
from history.errors import ConfigError
from safety.fault_spec import Arguments
from target.target import load_target
from testing.platform.fake_cluster import ROOT, FakeCluster, local_target, seeded
from testing.runs.fault_parts import spec

ARGUMENTS: Arguments = {"role": "storage", "for_s": 5}
STORE = {"buckets": "/data/objects", "kept": "/data/kept", "checkpoints": "training/runs"}
DATA = {"training_data": {"folder": "training/data", "record": "dataset.json"}}
ACCESS = {"s3": {"port": 7070, "secret": "s3"}}


@pytest.mark.parametrize("name", ["local", "staging.example"])
def test_the_shipped_files_say_all_of_it(name: str) -> None:
    store = load_target(ROOT / f"targets/{name}.yaml").roles["storage"].object_store
    assert store
    assert store.checkpoints
    assert store.training_data
    assert store.s3
    models = load_target(ROOT / f"targets/{name}.yaml").roles["models"].object_store
    assert models
    assert models.model


@pytest.mark.parametrize(
    ("written", "key", "said"),
    [
        ("buckets: /data/objects", "buckets", "data/objects"),
        ("buckets: /data/objects", "buckets", "/data/../etc"),
        ("kept: /data/aftershock-originals", "kept", "/data/objects/kept"),
        ("checkpoints: training/runs", "checkpoints", "/training/runs"),
        ("checkpoints: training/runs", "checkpoints", "training"),
        ("folder: training/data", "training_data.folder", "training/../../data"),
        ("secret: s3", "s3.secret", "s3/key"),
        ("port: 7070", "s3.port", "0"),
    ],
)
def test_a_place_that_cannot_be_one_is_refused_with_its_key(tmp_path: Path, written: str, key: str, said: str) -> None:
    text = (ROOT / "targets/local.yaml").read_text()
    assert written in text
    file = tmp_path / "target.yaml"
    file.write_text(text.replace(written, f"{written.partition(':')[0]}: {said}", 1))
    with pytest.raises(ConfigError, match=rf"target.yaml:\d+: roles.storage.object_store.{key}: "):
        load_target(file)


@pytest.mark.parametrize(
    ("fault", "store", "key"),
    [
        (checkpoints.damage_checkpoints, None, "object_store"),
        (checkpoints.damage_checkpoints, {"buckets": "/data/objects", "kept": "/data/kept"}, "object_store.checkpoints"),
        (training_data.overwrite, None, "object_store"),
        (training_data.overwrite, STORE | DATA, "object_store.s3"),
        (training_data.overwrite, STORE | ACCESS, "object_store.training_data"),
        (weights.overwrite, None, "object_store"),
        (weights.overwrite, STORE | DATA | ACCESS, "object_store.model"),
        (weights.overwrite, STORE | {"model": DATA["training_data"]}, "object_store.s3"),
    ],
)
def test_a_role_that_does_not_say_what_a_fault_needs_is_refused_with_the_key_to_add(
    fault: Callable[..., Any], store: dict[str, Any] | None, key: str
) -> None:
    roles = local_target().model_dump(by_alias=True)["roles"]
    roles["storage"]["object_store"] = store
    platform = FakeCluster().platform(local_target(roles=roles))
    with pytest.raises(ConfigError, match=rf"role storage of the target file does not say .*; add roles\.storage\.{key} \("):
        spec(fault).resolve(platform, ARGUMENTS, seeded(1))


def test_it_is_no_value_for_experiments() -> None:
    assert not [name for name in local_target().configuration() if "object_store" in name]
