"""Training data and their order: which samples a step sees is a function of seed and position, and the data are what their record says.

    python -m workloads.training.data create STORE [--samples N] [--seed N]

writes ``dataset.safetensors`` and its record ``dataset.json`` (sealed, written last) to a folder or bucket.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from safetensors.torch import load, save
from torch import Tensor

from workloads.storage.errors import ObjectDamaged, ObjectMissing, SealBroken, StorageError
from workloads.storage.sealed import digest, seal, unseal
from workloads.storage.store import Store, open_store
from workloads.training.errors import RunRefused
from workloads.training.model import CLASSES, FEATURES

FILE, RECORD = "dataset.safetensors", "dataset.json"
KIND, VERSION = "aftershock.dataset", 1
SYNTHETIC = "synthetic:"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Features float32 [samples, FEATURES] and labels int64 [samples]."""

    features: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Order:
    """The endless order of samples: one seeded permutation after the other, so that each sample comes once an epoch."""

    samples: int
    seed: int

    def window(self, start: int, count: int) -> list[int]:
        """Return the ids at positions ``start`` to ``start + count - 1``."""
        return [i for epoch in self._epochs(start, count) for i in epoch]

    def _epochs(self, start: int, count: int) -> Iterator[list[int]]:
        while count > 0:
            epoch, at = divmod(start, self.samples)
            part = _permutation(self.samples, self.seed, epoch)[at : at + count]
            yield part
            start, count = start + len(part), count - len(part)


@lru_cache(maxsize=2)
def _permutation(samples: int, seed: int, epoch: int) -> list[int]:
    generator = torch.Generator().manual_seed((seed << 20) + epoch)
    order: list[int] = torch.randperm(samples, generator=generator).tolist()
    return order


def synthetic(samples: int, seed: int) -> Dataset:
    """Make a task that can be learned: random points, labelled by a random linear map with some noise."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(samples, FEATURES, generator=generator)
    logits = features @ torch.randn(FEATURES, CLASSES, generator=generator)
    return Dataset(features, (logits + 0.3 * torch.randn(samples, CLASSES, generator=generator)).argmax(1))


def create(store: Store, samples: int, seed: int) -> None:
    """Write the data, then their record."""
    data = synthetic(samples, seed)
    content = save({"features": data.features, "labels": data.labels})
    store.put(FILE, content)
    body = {"files": {FILE: {"sha256": digest(content), "bytes": len(content)}}, "samples": samples, "seed": seed}
    store.put(RECORD, seal(KIND, VERSION, body))


def open_data(address: str, seed: int, *, verify: bool = True) -> Dataset:
    """Return the data of a run; raises RunRefused, with what to do, if they are missing or not what was recorded."""
    if address.startswith(SYNTHETIC):
        return _made(address, seed)
    store = open_store(address)
    try:
        record = unseal(store.get(RECORD), verify=verify).body["files"][FILE]
        content = store.get(FILE)
    except ObjectMissing as error:
        raise RunRefused(f"{error}; create the data (python -m workloads.training.data create) or restore them") from error
    except (SealBroken, ObjectDamaged, KeyError) as error:
        raise RunRefused(f"{store.url}: {RECORD} cannot be trusted: {error}; {_RESTORE}") from error
    if verify and digest(content) != record["sha256"]:
        raise RunRefused(f"{store.url}: {FILE} has SHA-256 {digest(content)[:12]}…, recorded is {record['sha256'][:12]}…; {_RESTORE}")
    tensors = load(content)
    return Dataset(tensors["features"], tensors["labels"])


def _made(address: str, seed: int) -> Dataset:
    count = address.removeprefix(SYNTHETIC)
    if not count.isdecimal() or int(count) < 1:
        raise RunRefused(f"TRAIN_DATA={address!r}: expected synthetic:SAMPLES with at least one sample")
    return synthetic(int(count), seed)


_RESTORE = f"restore a good version: python -m workloads.storage.restore --record {RECORD}"


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when the data are written, 2 if the store refused."""
    parser = argparse.ArgumentParser(prog="python -m workloads.training.data", description=__doc__)
    parser.add_argument("action", choices=["create"])
    parser.add_argument("store", help="file:///folder or s3://bucket/prefix?endpoint=http://host:port")
    parser.add_argument("--samples", type=int, default=4096)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    try:
        store = open_store(options.store)
        store.preflight()
        create(store, options.samples, options.seed)
    except StorageError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{store.url}: {options.samples} samples")
    return 0


if __name__ == "__main__":
    sys.exit(main())
