"""A cluster is read in pages, with small rights, and without changing anything; what may not be read is said."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from runner.discovery.cluster import open_cluster
from runner.discovery.reader import PODS, SERVICES
from runner.discovery.survey import take
from testing.platform.strangers import engine_manifests as shipped
from testing.platform.strangers.discovered import at, discovered, reader, surveyed
from testing.platform.strangers.manifests import Manifests, container, namespace, node, service, workload


def large(pods: int) -> Manifests:
    return Manifests([namespace("llm"), *workload("many", "llm", {"app": "many"}, container(), pods)])


def test_lists_are_read_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.discovery.reader.PAGE", 10)
    with at(large(34), tmp_path, monkeypatch) as api:
        sizes = [len(page) for page in reader().pages(PODS)]
    assert sizes == [10, 10, 10, 4]
    asked = [parse_qs(urlsplit(one.path).query) for one in api.asked if "/pods" in one.path]
    assert [one.get("continue") for one in asked] == [None, ["10"], ["20"], ["30"]]
    assert all(one["limit"] == ["10"] for one in asked)


def test_a_continue_token_that_is_too_old_does_not_begin_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.discovery.reader.PAGE", 10)
    cluster = large(25)
    cluster.gone = True
    with at(cluster, tmp_path, monkeypatch):
        found = reader()
        names = [one["metadata"]["name"] for one in found.listed(PODS)]
    assert len(names) == len(set(names)) == 25
    assert found.gaps == []
    assert not cluster.gone


def test_pods_of_one_maker_are_one_workload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = surveyed(large(300), tmp_path, monkeypatch).workloads
    assert (str(found), len(found.pods), dict(found.labels)["app"]) == ("Deployment many in llm", 300, "many")


def test_two_revisions_of_a_deployment_are_one_workload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = large(4)
    for one in cluster.objects[-2:]:
        one["metadata"]["labels"]["pod-template-hash"] = "def"
        one["metadata"]["ownerReferences"][0]["name"] = "many-def"
    (found,) = surveyed(cluster, tmp_path, monkeypatch).workloads
    assert (len(found.pods), "pod-template-hash" in found.labels) == (4, False)


def test_finished_pods_are_no_workload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = large(2)
    for one in cluster.objects[-2:]:
        one["status"]["phase"] = "Succeeded"
    assert list(surveyed(cluster, tmp_path, monkeypatch).workloads) == []


def two_teams() -> Manifests:
    objects = [namespace("llm"), namespace("hr"), node("node-0", "a"), *shipped.vllm(), service("vllm", "llm", {"app": "vllm"}, 8000)]
    return Manifests([*objects, *shipped.vllm("other", "hr")])


def test_where_the_whole_cluster_is_forbidden_each_namespace_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = two_teams()
    cluster.forbidden = {("pods", None), ("services", None), ("pods", "hr")}
    draft = discovered(cluster, tmp_path, monkeypatch)
    assert draft.code == 0
    assert draft.roles["inference"]["namespace"] == "llm"
    assert "inference-other" not in draft.roles
    assert "list pods in the whole cluster and in hr: may not be read; so each namespace that is known was asked" in draft.comments
    assert "kubectl create clusterrole aftershock-discover --verb=get,list --resource=pods,services" in draft.comments


def test_where_not_even_namespaces_may_be_listed_that_of_the_context_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = two_teams()
    cluster.forbidden = {("namespaces", None), ("pods", None), ("services", None), ("nodes", None)}
    draft = discovered(cluster, tmp_path, monkeypatch, own="llm")
    assert draft.roles["inference"]["namespace"] == "llm"
    assert "list nodes in the whole cluster: may not be read" in draft.comments
    assert "zones and accelerators are unknown, since nodes may not be read" in draft.comments
    assert draft.code == 0


def test_with_no_right_at_all_the_draft_is_still_read_and_says_what_to_grant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = two_teams()
    cluster.forbidden = {"namespaces", "pods", "services", "nodes", "ingresses"}
    draft = discovered(cluster, tmp_path, monkeypatch)
    assert (draft.code, draft.roles) == (0, {})
    assert "--resource=ingresses.networking.k8s.io,namespaces,nodes,pods,services" in draft.comments


def test_only_namespaces_that_a_person_names_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with at(two_teams(), tmp_path, monkeypatch) as api:
        found = reader(["llm"])
        assert {one["metadata"]["namespace"] for one in found.listed(PODS)} == {"llm"}
        found.listed(SERVICES)
    lists = [urlsplit(one.path).path for one in api.asked if one.path.startswith("/api/v1") and "namespaces?" not in one.path]
    assert lists == ["/api/v1/namespaces/llm/pods", "/api/v1/namespaces/llm/services"]


def test_a_namespace_that_is_not_there_is_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = discovered(two_teams(), tmp_path, monkeypatch, "llm", "lmm")
    assert "QUESTION: is namespace lmm meant? There is none of that name" in draft.comments
    assert draft.roles["inference"]["namespace"] == "llm"


def test_a_list_that_fails_is_said_and_the_rest_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = two_teams()
    cluster.broken = {"services"}
    draft = discovered(cluster, tmp_path, monkeypatch)
    assert "list services in the whole cluster: could not be read (the API server answered 500" in draft.comments
    assert draft.roles["inference"]["container"] == "vllm"
    assert draft.raw["workloads"] == {}  # without Services nobody knows where users come in
    assert draft.code == 0


def test_metrics_that_may_not_be_asked_for_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = two_teams()
    cluster.forbidden = {"pods/proxy"}
    draft = discovered(cluster, tmp_path, monkeypatch)
    assert "get pods/proxy in hr, llm: may not be read" in draft.comments
    assert "--resource=pods/proxy" in draft.comments


def test_nothing_but_get_is_sent_and_no_secret_or_config_map_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_all = two_teams()
    with_all.objects += [*shipped.llm_d(), *shipped.kserve(), *shipped.ray_serve()]
    with at(with_all, tmp_path, monkeypatch) as api:
        take(open_cluster(None))
    assert {one.method for one in api.asked} == {"GET"}
    assert not [one.path for one in api.asked if "secrets" in one.path or "configmaps" in one.path]


def test_an_older_cluster_is_told_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = two_teams()
    cluster.version = ("1", "26+")
    said = discovered(cluster, tmp_path, monkeypatch).comments
    assert "Kubernetes 1.26. It is older than any on which the suite is tried." in said
    assert "job-completion-index (KEP-4017) (on since 1.28): a rank cannot be chosen by its index" in said
    assert "ephemeral containers" not in said


def test_a_new_cluster_lacks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = two_teams()
    cluster.version = ("1", "36")
    said = discovered(cluster, tmp_path, monkeypatch).comments
    assert "Kubernetes 1.36." in said
    assert "has no" not in said


def test_zones_and_accelerators_are_those_of_the_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = "failure-domain.beta.kubernetes.io/zone"
    nodes = [node("n-0", "eu-1", 8, "amd.com/gpu", old), node("n-1", "eu-2", 8, "amd.com/gpu", old), node("n-2", None)]
    draft = discovered(Manifests([namespace("llm"), *nodes, *shipped.vllm()]), tmp_path, monkeypatch)
    assert (draft.region["zone_label"], draft.region["gpu_resource"]) == (old, "amd.com/gpu")
    assert "of 3 nodes: eu-1: 1 node, eu-2: 1 node" in draft.comments
    assert "16 amd.com/gpu" in draft.comments
    assert "this label is deprecated" in draft.comments
