"""How ours and stock tools write and read checkpoints, one file a rank: torch.save, safetensors, torch.distributed.checkpoint.

A resume takes the highest step that looks complete, as training scripts do; nothing is said of one that was passed over.
"""

import pickle
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.state_dict_loader import load as dcp_load
from torch.distributed.checkpoint.state_dict_saver import save as dcp_save

from workloads.storage.errors import StorageError
from workloads.storage.store import Store
from workloads.training import model
from workloads.training.checkpoint import state
from workloads.training.checkpoint.manifest import MANIFEST
from workloads.training.checkpoint.resume import resume
from workloads.training.errors import TrainingError
from workloads.training.group import Group
from workloads.training.settings import Settings

Entries = dict[str, Tensor]
OLD, NEW, RANKS = 10, 20, 3
RUN, WIDTH = "bench", 128  # of the run that leaves the checkpoints
T = TypeVar("T")
# what a loader may raise when it meets damage: it noticed, whatever it calls it
NOTICES: tuple[type[BaseException], ...] = (OSError, RuntimeError, ValueError, LookupError, EOFError, AttributeError, TypeError)
NOTICES += (ArithmeticError, pickle.PickleError, SafetensorError, CheckpointException, StorageError)
warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # a single process is meant


@dataclass(frozen=True, slots=True)
class Tool:
    """One way to write and read a checkpoint.

    ``shards`` lists the newest checkpoint's files by rank, ``older`` names the same file one checkpoint earlier. ``marker`` is what is
    written last. ``resume`` loads and returns whether it said that something was wrong; it may raise one of ``notices`` instead.
    """

    name: str
    shards: Callable[[Store], list[str]]
    older: Callable[[str], str]
    marker: str | None
    resume: Callable[[Store], tuple[Entries, bool]]
    notices: tuple[type[BaseException], ...] = NOTICES


def _folder(step: int, tool: str) -> str:
    return f"stock-{tool}/{step:03d}"


def _downloaded(store: Store, tool: str, marker: str | None, load: Callable[[Path], Entries]) -> tuple[Entries, bool]:
    steps: dict[str, list[str]] = {}
    for key in store.listing(f"stock-{tool}/"):
        steps.setdefault(key.split("/")[1], []).append(key)
    newest = max(step for step, keys in steps.items() if _complete(keys, marker))
    with tempfile.TemporaryDirectory() as folder:
        for key in steps[newest]:
            (Path(folder) / key.split("/")[2]).write_bytes(store.get(key))
        return load(Path(folder)), False


def _complete(keys: Sequence[str], marker: str | None) -> bool:
    return marker is None or any(key.endswith(marker) for key in keys)


def _each(load: Callable[[Path], Entries]) -> Callable[[Path], Entries]:
    """Let each rank read its own file; the generator's state is the one entry that has the same name in all of them."""

    def load_all(folder: Path) -> Entries:
        entries: Entries = {}
        for rank, path in enumerate(sorted(folder.iterdir())):
            part = load(path)
            entries |= {name: tensor for name, tensor in part.items() if name != "rng"} | {f"rng/{rank}": part["rng"]}
        return entries

    return load_all


def _load_dcp(folder: Path) -> Entries:
    metadata = FileSystemReader(folder).read_metadata()
    entries = {name: torch.zeros(m.size, dtype=m.properties.dtype) for name, m in metadata.state_dict_metadata.items()}  # type: ignore[union-attr]  # all are tensors
    dcp_load(entries, storage_reader=FileSystemReader(folder), no_dist=True)
    return entries


def _stock(name: str, load: Callable[[Path], Entries], marker: str | None = None) -> Tool:
    newest, older = _folder(NEW, name), _folder(OLD, name)

    def shards(store: Store) -> list[str]:
        return [key for key in store.listing(f"{newest}/") if not (marker and key.endswith(marker))]

    return Tool(
        name,
        shards,
        lambda key: key.replace(newest, older),
        f"{newest}/{marker}" if marker else None,
        lambda store: _downloaded(store, name, marker, load),
    )


STOCK = (
    _stock("torch.save", _each(lambda path: dict(torch.load(path, weights_only=True)))),
    _stock("safetensors", _each(load_file)),
    _stock("DCP", _load_dcp, ".metadata"),
)


class Alone(Group):
    """A group of one rank, without other processes."""

    def __init__(self) -> None:
        self.rank, self.world = 0, 1

    def gather(self, item: T) -> list[T]:
        """Return the only item."""
        return [item]

    def from_first(self, make: Callable[[], T]) -> T:
        """Make it."""
        return make()


def _ours(store: Store) -> tuple[Entries, bool]:
    settings = Settings(run_id=RUN, stores=(store.url,), ledger="", width=WIDTH)
    net, optimizer = model.build(settings.seed, settings.width)
    now = state.State(net, optimizer, torch.zeros(0, dtype=torch.float64), seed=settings.seed)
    resumed = resume(settings, Alone(), [store], now)
    return now.shared(), bool(resumed.rejected)


OURS = Tool(
    "ours",
    lambda store: [key for key in store.listing(f"step-{NEW:08d}") if "shard" in key],
    lambda key: key.replace(f"{NEW:08d}", f"{OLD:08d}"),
    f"step-{NEW:08d}.a0001/{MANIFEST}",
    _ours,
    (TrainingError, StorageError),
)


def write(root: Path, step: int, parts: Sequence[Entries]) -> None:
    """Write one checkpoint, given each rank's part, as each stock tool does."""
    folders = {tool.name: root / _folder(step, tool.name) for tool in STOCK}
    for folder in folders.values():
        folder.mkdir(parents=True)
    for rank, part in enumerate(parts):
        own = {"rng" if name.startswith("rng/") else name: tensor.clone() for name, tensor in part.items()}
        torch.save(own, folders["torch.save"] / f"rank-{rank}.pt")
        save_file(own, folders["safetensors"] / f"rank-{rank}.safetensors")
    whole = {name: tensor for part in parts for name, tensor in part.items()}
    dcp_save(whole, storage_writer=FileSystemWriter(folders["DCP"], thread_count=RANKS), no_dist=True)
