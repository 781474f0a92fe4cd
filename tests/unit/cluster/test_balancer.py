from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.balancer import render
from cluster.config import Frontend, default_config


def section(text: str, title: str) -> list[str]:
    """Return the lines of one section of an HAProxy configuration."""
    block = text.split(f"\n{title}\n")[1]
    lines = []
    for line in block.splitlines():
        if not line.startswith(" "):
            break
        lines.append(line.strip())
    return lines


def test_every_node_stands_behind_every_frontend_with_an_active_check() -> None:
    text = render(default_config(), "/run/stats.sock")
    backend = section(text, "backend inference")
    assert "option httpchk GET /gateway-health" in backend
    assert [line for line in backend if line.startswith("server ")] == [
        f"server {name} 10.89.0.{number}:30080"
        for number, name in enumerate(["cpu-a", "gpu-a", "cpu-b", "gpu-b", "cpu-c", "gpu-c"], start=11)
    ]
    assert any("check inter 500ms fall 2 rise 2" in line and "on-marked-down shutdown-sessions" in line for line in backend)
    assert "option httpchk GET /-/ready" in section(text, "backend prometheus")


def test_it_listens_on_the_loopback_address_only() -> None:
    text = render(default_config(), "/run/stats.sock")
    assert section(text, "frontend inference")[0] == "bind 127.0.0.1:18080"
    assert section(text, "frontend async")[0] == "bind 127.0.0.1:18081"
    assert section(text, "frontend prometheus")[0] == "bind 127.0.0.1:19090"
    assert text.count("bind ") == 3


def test_a_frontend_can_be_given_nodes_of_its_own() -> None:
    config = replace(default_config(), frontends=(Frontend("one", 18099, 30099, "/", nodes=("cpu-b",)),))
    assert [line for line in section(render(config, "/s"), "backend one") if line.startswith("server ")] == [
        "server cpu-b 10.89.0.13:30099"
    ]


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="HAProxy is not installed: python -m cluster build installs it")
def test_haproxy_accepts_it(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(render(default_config(), str(tmp_path / "stats.sock")))
    done = subprocess.run(["haproxy", "-c", "-f", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
