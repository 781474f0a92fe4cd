"""A replica serves by no weights but those that its image records, whatever the stores give it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Timer

import pytest

from faults.node_agent.storage.damage import other_numbers
from testing.answering import answering
from testing.platform.fake_cluster import seeded
from testing.waiting import wait_for
from workloads.environment import SettingRefused
from workloads.inference import fetch, weights
from workloads.inference.settings import Settings, from_environment
from workloads.inference.weights import WeightsCheck, WeightsRefused
from workloads.storage.server import free_port

GOOD = (weights.SHIPPED / weights.WEIGHTS_FILE).read_bytes()
OTHER = other_numbers(GOOD, seeded(1))


class Store(ThreadingHTTPServer):
    """A store that gives ``content``, or says 503 while that is None."""

    def __init__(self, content: bytes | None) -> None:
        self.content, self.asked = content, 0
        super().__init__(("127.0.0.1", 0), _Answers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/models/ring/model.safetensors"


class _Answers(BaseHTTPRequestHandler):
    server: Store

    def do_GET(self) -> None:
        self.server.asked += 1
        content = self.server.content
        self.send_response(503 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def stores(*contents: bytes | None) -> Iterator[list[Store]]:
    """Serve each content from a store of its own."""
    with ExitStack() as stack:
        made = [Store(content) for content in contents]
        for one in made:
            stack.enter_context(answering(one))
        yield made


def settings(folder: Path, *urls: str, wait_s: float = 0.1, check: WeightsCheck = WeightsCheck.DIGEST) -> Settings:
    return Settings(model_dir=folder / "model", model_urls=",".join(urls), startup_timeout_s=wait_s, weights_check=check)


def test_without_stores_nothing_is_fetched(tmp_path: Path) -> None:
    fetch.bring(settings(tmp_path))
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("first", [OTHER, GOOD[:-1], b"", None], ids=["other numbers", "cut short", "empty", "503"])
def test_what_one_store_gives_wrongly_another_gives(tmp_path: Path, first: bytes | None) -> None:
    with stores(first, GOOD) as (bad, good):
        fetch.bring(settings(tmp_path, bad.url, good.url))
    path, record = weights.verified(tmp_path / "model")
    assert path.read_bytes() == GOOD
    assert record == weights.read_record(weights.SHIPPED)


def test_a_store_that_nobody_reaches_is_passed_over(tmp_path: Path) -> None:
    with stores(GOOD) as (good,):
        fetch.bring(settings(tmp_path, f"http://127.0.0.1:{free_port()}/model.safetensors", good.url))
    assert weights.verified(tmp_path / "model")


def test_where_no_store_has_the_right_ones_nothing_is_served_and_it_says_what_each_said(tmp_path: Path) -> None:
    with stores(OTHER, None) as (other, none), pytest.raises(WeightsRefused) as refused:
        fetch.bring(settings(tmp_path, other.url, none.url))
    assert "no store gave the weights within 0.1 s" in str(refused.value)
    assert f"{other.url}: sha256 is {weights.digest_of(OTHER)}, the image records {weights.digest_of(GOOD)}" in str(refused.value)
    assert f"{none.url}: the weights can't be fetched (HTTPError: HTTP Error 503" in str(refused.value)
    assert not (tmp_path / "model").exists()


def test_it_waits_until_the_weights_are_good_again(tmp_path: Path) -> None:
    with stores(OTHER) as (store,):
        restored = Timer(0.3, setattr, (store, "content", GOOD))
        restored.start()
        fetch.bring(settings(tmp_path, store.url, wait_s=60))
        restored.join()
    assert weights.verified(tmp_path / "model")


def test_a_container_that_starts_again_asks_no_store_and_one_with_a_damaged_file_does(tmp_path: Path) -> None:
    with stores(GOOD) as (store,):
        for _ in range(2):
            fetch.bring(settings(tmp_path, store.url))
        assert store.asked == 1
        (tmp_path / "model" / weights.WEIGHTS_FILE).write_bytes(OTHER)
        fetch.bring(settings(tmp_path, store.url))
        assert store.asked == 2
    assert weights.verified(tmp_path / "model")


def test_more_bytes_than_any_model_of_this_size_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "MOST_BYTES", 1000)
    with stores(GOOD) as (store,), pytest.raises(WeightsRefused, match="more than 1000 bytes"):
        fetch.bring(settings(tmp_path, store.url))


def test_a_server_that_does_not_verify_takes_whatever_it_is_given(tmp_path: Path) -> None:
    weak = WeightsCheck.NONE
    with stores(OTHER) as (store,):
        fetch.bring(settings(tmp_path, store.url, check=weak))
    path, _ = weights.accepted(tmp_path / "model", weak)
    assert path.read_bytes() == OTHER
    with pytest.raises(WeightsRefused, match="nothing is served"):
        weights.accepted(tmp_path / "model", WeightsCheck.DIGEST)


def test_it_can_be_told_to_end_while_it_waits(tmp_path: Path) -> None:
    with stores(None) as (store,):
        wait = f"from workloads.inference import fetch, settings; fetch.bring(settings.from_environment({{'MODEL_URLS': {store.url!r}, "
        program = subprocess.Popen([sys.executable, "-c", f"{wait}'MODEL_DIR': {str(tmp_path / 'model')!r}}}))"])
        wait_for(lambda: store.asked > 0, "it asks the store")
        program.send_signal(signal.SIGTERM)
        began_s = time.monotonic()
        assert program.wait(60) == 128 + signal.SIGTERM
    assert time.monotonic() - began_s < 30  # not its 120 s


@pytest.mark.parametrize("urls", ["s3://models/ring", "http://a/b, file:///etc/passwd", "models"])
def test_an_address_that_is_no_web_address_is_refused(urls: str) -> None:
    with pytest.raises(SettingRefused, match=r"setting MODEL_URLS: .* is no address"):
        from_environment({"MODEL_URLS": urls})


@pytest.mark.parametrize("where", [{}, {"MODEL_DIR": str(weights.SHIPPED)}])
def test_stores_are_refused_where_the_images_own_weights_would_be_served(where: dict[str, str]) -> None:
    with pytest.raises(SettingRefused, match=r"setting MODEL_URLS without MODEL_DIR: .* no store would be asked; set MODEL_DIR to "):
        from_environment({"MODEL_URLS": "http://s3/models/ring/model.safetensors"} | where)
    assert from_environment(where).model_dir == weights.SHIPPED
