"""Damaged data are restored by a known program beside the server, or it is said what is damaged, where its good version is, what to do."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from history.errors import UndoFailed
from runner.cleanup.cleanup import clean_up
from safety import undo
from safety.data_damage import CHECKPOINTS, TRAINING_DATA, DataDamage
from safety.undo_journal import ENTRIES, Undo, UndoKind, open_journal
from target.object_store import S3Access
from target.suite_image import FAULT_PYTHON
from target.target import Target
from testing.platform.fake_cluster import local_target, pod
from testing.runs.runner_cluster import RunnerCluster, serve

KEPT = "/data/kept/aftershock-run-0-act"
PLACES = ("/data/objects/runs/job of mine", "--originals", KEPT, "--outcome", f"{KEPT}.json")
STORE = "s3://training/data?endpoint=http://127.0.0.1:7070&region=us-east-1"
RECORD = (STORE, "--record", "dataset.json", "--outcome", f"{KEPT}.json")
DAMAGE = DataDamage(
    container="s3",
    what="a shard in /data/runs/job",
    good="its original in /data/originals",
    program=CHECKPOINTS,
    arguments=("undo", *PLACES),
    by_hand="cp",
)


TRAINING = DAMAGE.model_copy(update={"program": TRAINING_DATA, "arguments": (*RECORD, "--undo")})
MORE_THAN_UNDO = [
    ("undo", "/etc", *PLACES[1:]),  # it would write there
    ("undo", "/data/objects/../../etc", *PLACES[1:]),
    ("undo", PLACES[0], "--originals", "/data/objects/aftershock-x", *PLACES[3:]),  # it would remove what clients store
    ("undo", PLACES[0], "--originals", "/data/kept/aftershock-x/..", *PLACES[3:]),
    ("undo", PLACES[0], "--originals", "/var/lib", *PLACES[3:]),
    ("undo", *PLACES[:4], "/data/objects/aftershock-x/manifest.json"),
    ("undo", *PLACES, "--after", "100000"),
]
MORE_THAN_RESTORE = [
    RECORD,
    (*RECORD, "--undo", "--kind", "truncation"),
    ("s3://training/data?endpoint=http://10.0.0.1:7070", *RECORD[1:], "--undo"),  # with the credentials of this server
    (*RECORD[:4], "/etc/passwd", "--undo"),
]


def entry(damage: DataDamage = DAMAGE, **more: Any) -> Undo:
    about: dict[str, Any] = {"object": "s3-0", "namespace": "ml-training", "detail": damage.model_dump_json(), **more}
    return Undo(kind=UndoKind.RESTORE_DATA, activity="act", ends_by_ns=0, **about)


class Beside(RunnerCluster):
    """A storage server whose ephemeral containers say what the test wants, or are not admitted."""

    def __init__(self, answer: str | ApiException) -> None:
        super().__init__()
        self.answer = answer
        self.added: list[dict[str, Any]] = []
        server = pod("s3-0", "cpu-b", namespace="ml-training", app="s3", owner="StatefulSet")
        server.spec.containers[0].name = server.status.container_statuses[0].name = "s3"
        self.pods["ml-training", "s3-0"] = server

    def patch_namespaced_pod_ephemeralcontainers(self, _name: str, _namespace: str, body: Any) -> None:
        if isinstance(self.answer, ApiException):
            raise self.answer
        self.added += body["spec"]["ephemeralContainers"]

    def read_namespaced_pod_log(self, name: str, namespace: str, **_: object) -> str:  # noqa: ARG002  the API's
        assert isinstance(self.answer, str)
        return self.answer


def test_its_program_runs_in_the_fault_image_beside_the_servers_container() -> None:
    cluster = Beside(json.dumps({"said": "put back shard-0", "files": ["shard-0"]}) + "\n")
    assert undo.undo_entry(cluster.platform(), entry()) == "pod ml-training/s3-0: put back shard-0"
    [added] = cluster.added
    assert (added["targetContainerName"], added["image"]) == ("s3", cluster.platform().target.suite.fault_image)
    words = ["undo", *PLACES, "--buckets", "/data/objects"]
    assert added["command"] == [FAULT_PYTHON, "-m", CHECKPOINTS, *words]
    assert [one["name"] for one in added["env"]] == ["PYTHONDONTWRITEBYTECODE"]


def test_of_two_stores_in_a_namespace_it_is_the_one_that_selects_the_pod() -> None:
    cluster = Beside(json.dumps({"said": "put back shard-0", "files": ["shard-0"]}) + "\n")
    target = local_target()
    storage = target.roles["storage"]
    assert storage.object_store
    elsewhere = storage.object_store.model_copy(update={"buckets": "/elsewhere"})
    other = storage.model_copy(update={"selector": "app=other", "object_store": elsewhere})
    both = target.model_copy(update={"roles": {"other": other, **target.roles}})
    undo.undo_entry(cluster.platform(both), entry())
    [added] = cluster.added
    assert added["command"][-2:] == ["--buckets", "/data/objects"]


def with_models(first: bool, **storage: Any) -> Target:
    """Return the local target, whose roles ``storage`` (changed so) and ``models`` are the same pods; ``models`` comes first or last."""
    target = local_target()
    found, models = target.roles["storage"], target.roles["models"]
    assert found.object_store
    changed = found.model_copy(update={"object_store": found.object_store.model_copy(update=storage)})
    both = {"models": models, "storage": changed} if first else {"storage": changed, "models": models}
    return target.model_copy(update={"roles": both})


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    "storage",
    [
        pytest.param({"s3": None}, id="the other says not how it is reached"),
        pytest.param({"s3": S3Access(port=7070, secret="another")}, id="the other keeps other things"),  # noqa: S106  a name
        pytest.param({"buckets": "/data/kept"}, id="what is kept would lie in the other's buckets"),
    ],
)
def test_of_two_roles_of_the_same_servers_it_is_one_that_can(first: bool, storage: dict[str, Any]) -> None:
    cluster = Beside('{"said": "restored"}\n')
    weights = ("s3://models/ring?endpoint=http://127.0.0.1:7070&region=us-east-1", "--record", "record.json", *RECORD[3:], "--undo")
    written = DAMAGE.model_copy(update={"program": TRAINING_DATA, "arguments": weights})
    assert undo.undo_entry(cluster.platform(with_models(first, **storage)), entry(written)) == "pod ml-training/s3-0: restored"
    [added] = cluster.added
    assert added["command"][-2:] == ["--buckets", "/data/objects"]
    assert added["env"][1]["valueFrom"]["secretKeyRef"]["name"] == "s3"


def test_where_no_role_says_how_the_server_is_reached_it_is_said_what_to_add() -> None:
    target = with_models(first=False, s3=None)
    alone = target.model_copy(update={"roles": {"storage": target.roles["storage"]}})
    with pytest.raises(UndoFailed, match=r"not known to be restored .* add roles\.storage\.object_store\.s3"):
        undo.undo_entry(Beside("{}").platform(alone), entry(TRAINING))


@pytest.mark.parametrize("program", [CHECKPOINTS, TRAINING_DATA])
def test_each_program_is_there(program: str) -> None:
    assert importlib.import_module(program).main


def test_a_program_that_is_a_client_gets_its_credentials_from_the_secret_that_the_role_names() -> None:
    cluster = Beside('{"said": "restored"}\n')
    undo.undo_entry(cluster.platform(), entry(DAMAGE.model_copy(update={"program": TRAINING_DATA, "arguments": (*RECORD, "--undo")})))
    access, secret = cluster.added[0]["env"][1:]
    assert access["valueFrom"] == {"secretKeyRef": {"name": "s3", "key": "AWS_ACCESS_KEY_ID"}}
    assert secret["valueFrom"] == {"secretKeyRef": {"name": "s3", "key": "AWS_SECRET_ACCESS_KEY"}}


def test_a_journal_of_a_former_version_is_carried_out_by_the_program_that_took_its_place() -> None:
    cluster = Beside('{"said": "put back"}\n')
    former = (
        "undo",
        "/data/objects/training/runs/job",
        "--originals",
        "/data/aftershock-originals/act",
        "--outcome",
        "/tmp/aftershock-act.json",  # noqa: S108  in the server's container
    )
    written = DAMAGE.model_copy(update={"program": "workloads.storage.damage_at_rest", "arguments": former})
    undo.undo_entry(cluster.platform(), entry(written))
    assert cluster.added[0]["command"][2:] == [CHECKPOINTS, *former, "--buckets", "/data/objects"]


@pytest.mark.parametrize(
    "answer",
    [
        ApiException(status=404, reason="Not Found"),
        '{"refused": "none of 3 processes has the folder"}\n',
        '{"failed": "no version is good"}\n',
    ],
)
def test_what_is_not_known_to_be_restored_says_what_is_damaged_where_its_good_version_is_and_what_to_do(answer: str | ApiException) -> None:
    with pytest.raises(UndoFailed) as failed:
        undo.undo_entry(Beside(answer).platform(), entry())
    said = str(failed.value)
    assert said.startswith("pod ml-training/s3-0: not known to be restored (a shard in /data/runs/job): ")
    assert said.endswith("good is its original in /data/originals; when the server answers, run make heal; by hand: cp")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (entry(DAMAGE.model_copy(update={"program": "http.server"})), "asks for the program 'http.server'"),
        (entry(DAMAGE.model_copy(update={"arguments": ("damage", *PLACES)})), "Nothing was run"),
        *((entry(DAMAGE.model_copy(update={"arguments": words})), "Nothing was run") for words in MORE_THAN_UNDO),
        *((entry(TRAINING.model_copy(update={"arguments": words})), "Nothing was run") for words in MORE_THAN_RESTORE),
        (entry(DAMAGE.model_copy(update={"program": TRAINING_DATA})), "Nothing was run"),
        (entry(DAMAGE.model_copy(update={"container": "other"})), "beside container 'other'"),
        (entry(namespace="kube-system"), "pod kube-system/s3-0"),
        (entry(namespace=None), "who wrote this entry"),
        (entry(detail="{}"), "cannot be read"),
    ],
)
def test_a_journal_can_ask_for_nothing_else(written: Undo, said: str) -> None:
    cluster = Beside("{}")
    with pytest.raises(UndoFailed, match=said):
        undo.undo_entry(cluster.platform(), written)
    assert not cluster.added


def test_an_entry_is_read_as_it_was_written() -> None:
    assert ENTRIES.validate_json(ENTRIES.dump_json((entry(),))) == (entry(),)


def test_heal_ends_a_journal_from_before_this_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = RunnerCluster()
    platform = serve(monkeypatch, cluster)
    journal = open_journal(platform, "run-0", "me", "storage/checkpoints-corrupted")
    body = cluster.config_maps[journal.name]
    body.data["undo"] = json.dumps(
        [
            {
                "kind": "nothing",
                "activity": "damage",
                "object": "s3-0",
                "namespace": "ml-training",
                "ends_by_ns": 1,
                "self_ends": "its retention",
            }
        ]
    )
    cleaned = clean_up(platform)
    assert not cleaned.failed
    assert "s3-0: nothing to undo, its retention" in cleaned.done
    assert not cluster.config_maps
