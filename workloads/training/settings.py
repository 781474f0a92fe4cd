"""All settings of a training run, one environment variable each: ``python -m workloads.training.settings`` prints them.

The defaults are the hardened variant. A setting whose text has a ``weak`` part can be turned into one known weakness, which a test suite
must be able to find; each is read in exactly one place.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any

from workloads.training.errors import SettingsRefused

PREFIX = "TRAIN_"
_SWITCH = {"on": True, "off": False}


def _setting(default: Any, about: str, *, weak: str = "", least: float | None = None, one_of: tuple[str, ...] = ()) -> Any:  # noqa: ANN401  typed as field() is
    metadata = {"about": about, "weak": weak, "least": least, "one_of": one_of}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run does and how it protects itself."""

    # what is trained
    run_id: str = _setting(MISSING, "name of the run; checkpoints of another run are refused")
    stores: tuple[str, ...] = _setting(
        MISSING,
        "where checkpoints go, comma-separated: file:///folder or s3://bucket/prefix?endpoint=…; each is committed on its own",
        weak="one address: a single zone or disk holds all checkpoints",
    )
    ledger: str = _setting(
        MISSING, "where the step ledger goes: file:///path.jsonl, or http://host:port of workloads.training.telemetry.ledger_server"
    )
    data: str = _setting("synthetic:4096", "training data: synthetic:SAMPLES, or a store's address that holds dataset.json")
    steps: int = _setting(200, "optimizer steps of the whole run", least=1)
    batch: int = _setting(24, "samples a step over all ranks", least=1)
    seed: int = _setting(0, "seed of weights, data order and dropout", least=0)
    width: int = _setting(64, "width of the model: sets the size of a checkpoint (float32: about 12·(2·width² + 30·width) bytes)", least=4)
    step_pause_s: float = _setting(0.0, "pause after a step in seconds: the pace of a larger model without its cost", least=0)
    # checkpoints
    interval: int = _setting(20, "steps from one checkpoint to the next", least=1)
    keep: int = _setting(3, "verified checkpoints that are kept in each store", weak="1: nothing to fall back to", least=1)
    async_save: bool = _setting(True, "write checkpoints beside the training, at most one at a time")
    store_wait_s: float = _setting(300.0, "how long a start waits until a store answers in seconds", least=0)
    save_timeout_s: float = _setting(30.0, "how long a store may take for one save before it is given up in seconds", least=0.1)
    snapshot: bool = _setting(
        True, "copy the state before it is written beside the training", weak="off: later weights get into an earlier checkpoint"
    )
    verify: bool = _setting(
        True, "compare every byte with the manifest's digests on load, and after save", weak="off: what is read is believed"
    )
    fsync: bool = _setting(True, "sync files and folders on volumes", weak="off: what was saved may be gone after a power cut")
    versioning: bool = _setting(True, "demand buckets with versioning", weak="off: an overwritten object cannot be restored")
    format: str = _setting(
        "sealed", "sealed: safetensors and a manifest with digests", weak="torch: torch.save, no manifest", one_of=("sealed", "torch")
    )
    pointer: str = _setting(
        "after",
        "latest.json: written after the manifest, only used to notice what is missing",
        weak="early: moved before the data are durable, and believed on load",
        one_of=("after", "early"),
    )
    resume: bool = _setting(True, "go on from the newest verified checkpoint", weak="off: start from nothing")
    resume_data: bool = _setting(True, "go on at the saved position of the data", weak="off: start the data order again")
    fencing: bool = _setting(True, "an older attempt of the run may not commit", weak="off: two writers of one run go unnoticed")
    emergency: bool = _setting(True, "save at once on SIGTERM, then leave", weak="off: leave without saving")
    grace_s: int = _setting(50, "how long torchrun waits for that save before it ends the ranks; less than the pod's grace period", least=0)
    # the ranks
    collective_timeout_s: float = _setting(
        20.0, "how long a rank waits for the others in seconds", weak="1800: torch's default for gloo", least=0.5
    )
    max_restarts: int = _setting(100, "restarts of the ranks by torchrun", weak="0: torchrun's default", least=0)
    relaunches: int = _setting(100, "restarts of torchrun itself in this pod, after the rendezvous was lost", weak="0", least=0)
    share_store: bool = _setting(
        False, "share the rendezvous store with the ranks", weak="on: torchrun's default, a restart may meet a dead rank's address"
    )
    nodes: str = _setting("1", "pods of the run, N or MIN:MAX; MIN must be more than half of MAX, or two halves could train at once")
    ranks_per_pod: int = _setting(1, "ranks that this pod starts", least=1)
    rendezvous: str = _setting("", "host:port of the pod with index 0, where the pods meet; empty: this pod is alone")
    owner: str = _setting("", "who writes for the run (a Job's uid): once another owner has taken over, this one may not write any more")
    # bad numbers
    guard: bool = _setting(
        True, "set a batch aside when loss or gradient is not finite or loss jumps", weak="off: NaN gets into the weights"
    )
    spike_factor: float = _setting(10.0, "a loss above this multiple of the median of the last 50 is a jump", least=1)
    max_quarantined: int = _setting(5, "batches set aside in a row before the run stops", least=0)
    digest_every: int = _setting(
        10, "steps between comparisons of all ranks' weights; 0: never", weak="0: a rank's silent corruption is saved", least=0
    )
    # what is told
    metrics_port: int = _setting(0, "Prometheus metrics of local rank 0; the next ranks follow; 0: none", least=0)
    tracking: str = _setting("", "MLflow's address and run: http://host:port/RUN_ID; empty: no tracking")
    tracking_inline: bool = _setting(False, "log metrics within the step", weak="on: training stands while the tracking server does")
    track_every: int = _setting(10, "steps between logged metrics", least=1)
    # failpoints
    failpoints: str = _setting("", "what goes wrong on purpose: see workloads/training/failpoints.py")
    failpoint_folder: str = _setting("", "a folder in which a file turns a failpoint on while the run goes on")

    @property
    def weaknesses(self) -> tuple[str, ...]:
        """Return the names of settings that differ from the hardened default and have a weak side, as ``name=value``."""
        chosen = [f for f in fields(self) if f.metadata["weak"] and f.default is not MISSING and getattr(self, f.name) != f.default]
        return tuple(f"{f.name}={getattr(self, f.name)}" for f in chosen)


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of ``TRAIN_*`` variables; raises SettingsRefused that names the variable, its value and what was expected."""
    known = {PREFIX + f.name.upper(): f for f in fields(Settings)}
    for name in environment:
        if name.startswith(PREFIX) and name not in known:
            raise SettingsRefused(f"{name}: there is no such setting; python -m workloads.training.settings lists all")
    missing = [name for name, f in known.items() if f.default is MISSING and not environment.get(name)]
    if missing:
        raise SettingsRefused(f"{', '.join(missing)}: must be set; python -m workloads.training.settings lists all")
    values: dict[str, Any] = {f.name: _parse(name, f, environment[name]) for name, f in known.items() if name in environment}
    return Settings(**values)


def _parse(name: str, setting: "Field[Any]", text: str) -> object:
    kind: Any = setting.type
    try:
        if kind is bool:
            value: object = _SWITCH[text]
        elif kind in (int, float):
            value = kind(text)
        else:
            value = text if kind is str else tuple(part.strip() for part in text.split(",") if part.strip())
    except (ValueError, KeyError):
        wanted = "on or off" if kind is bool else "a whole number" if kind is int else "a number"
        raise SettingsRefused(f"{name}={text!r}: expected {wanted}; {setting.metadata['about']}") from None
    _check(name, setting, value)
    return value


def _check(name: str, setting: "Field[Any]", value: Any) -> None:  # noqa: ANN401  a number or a word, as the setting says
    least, one_of = setting.metadata["least"], setting.metadata["one_of"]
    if least is not None and not value >= least:  # NaN is not at least anything
        raise SettingsRefused(f"{name}={value}: expected at least {least:g}; {setting.metadata['about']}")
    if one_of and value not in one_of:
        raise SettingsRefused(f"{name}={value!r}: expected {' or '.join(one_of)}; {setting.metadata['about']}")


def main() -> int:
    """Print every setting: variable, default, what it does, and its weak side."""
    for f in fields(Settings):
        default = (
            "required" if f.default is MISSING else {True: "on", False: "off"}.get(f.default, f.default) if f.type is bool else f.default
        )
        weak = f"  weak: {f.metadata['weak']}" if f.metadata["weak"] else ""
        print(f"{PREFIX}{f.name.upper()} [{default}]  {f.metadata['about']}{weak}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
