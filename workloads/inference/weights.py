"""The weights' file and the record beside it: what was trained, to which loss, and the digest that a server checks before it serves.

No torch here: the engine refuses damaged weights before it spends seconds on importing torch.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

WEIGHTS_FILE = "model.safetensors"
RECORD_FILE = "model.json"
SHIPPED = Path(__file__).parent / "weights"


class WeightsRefused(RuntimeError):
    """The weights are missing, unreadable or not the ones that were recorded."""


class WeightsCheck(StrEnum):
    """What a server demands of its weights before it serves."""

    DIGEST = "digest"
    """They have the digest of their record (hardened)."""
    NONE = "none"
    """Nothing: it serves whatever it was given."""


@dataclass(frozen=True, slots=True)
class WeightsRecord:
    """What model.json says about the weights beside it."""

    sha256: str
    """Digest of the weights' file, hexadecimal."""
    config: dict[str, int]
    """Sizes of the model (model.ModelConfig)."""
    seed: int
    steps: int
    final_loss: float
    """Mean cross-entropy in nats a character over the last 50 steps, characters that have at least 48 before them."""
    torch: str
    """Version that trained it: another version or processor may round differently and so give another digest."""


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return digest_of(path.read_bytes())


def digest_of(content: bytes) -> str:
    """SHA-256 of bytes, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def write_record(folder: Path, record: WeightsRecord) -> None:
    """Write ``model.json`` into ``folder``."""
    (folder / RECORD_FILE).write_text(json.dumps(asdict(record), indent=2) + "\n")


def read_record(folder: Path) -> WeightsRecord:
    """Read ``model.json``; raises WeightsRefused when it is missing or malformed."""
    path = folder / RECORD_FILE
    try:
        return WeightsRecord(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise WeightsRefused(
            f"{path}: the record of the weights can't be read ({error}); "
            "restore it from version control or train again with `python -m workloads.inference.train`"
        ) from error


def verified(folder: Path) -> tuple[Path, WeightsRecord]:
    """Give the weights' file and its record, after the file's digest was found to be the recorded one.

    Raises WeightsRefused otherwise.
    """
    record, path = read_record(folder), folder / WEIGHTS_FILE
    try:
        observed = digest(path)
    except OSError as error:
        raise WeightsRefused(
            f"{path}: the weights can't be read ({error.strerror}); restore them or train with `python -m workloads.inference.train`"
        ) from error
    if observed != record.sha256:
        raise WeightsRefused(
            f"{path}: sha256 is {observed}, {RECORD_FILE} beside it records {record.sha256}; the weights were changed or cut short, "
            "so nothing is served: restore the file or train again with `python -m workloads.inference.train`"
        )
    return path, record


def accepted(folder: Path, check: WeightsCheck) -> tuple[Path, WeightsRecord]:
    """Give the weights' file and its record, after what ``check`` demands was found. Raises WeightsRefused."""
    return verified(folder) if check is WeightsCheck.DIGEST else (folder / WEIGHTS_FILE, read_record(folder))
