"""Certificates of an authority of its own, and a kubeconfig that trusts one."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

SELF_SIGNED = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")


def self_signed(folder: Path, name: str, address: str = "") -> tuple[Path, Path]:
    """Make a key and a certificate that is its own authority, of a server at ``address``; return their files (PEM)."""
    key, certificate = folder / f"{name}-key.pem", folder / f"{name}.pem"
    named = ["-subj", f"/CN={name}", *(["-addext", f"subjectAltName=IP:{address}"] if address else [])]
    subprocess.run([*SELF_SIGNED, *named, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return key, certificate


def trust_another(config: dict[str, Any], folder: Path) -> None:
    """Let a kubeconfig trust an authority that has not signed its cluster's certificate."""
    _, certificate = self_signed(folder, "other-ca")
    cluster = config["clusters"][0]["cluster"]
    cluster.pop("certificate-authority-data", None)
    cluster["certificate-authority"] = str(certificate)
