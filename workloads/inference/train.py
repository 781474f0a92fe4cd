"""Train the model from a seed: ``python -m workloads.inference.train [--steps N] [--seed S] [--out FOLDER]``."""

import argparse
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional as F  # noqa: N812  torch's own convention

from workloads.inference import corpus, tokens, weights
from workloads.inference.model import ModelConfig, Transformer

BATCH = 16
WARM_UP_CHARACTERS = 48  # before that much context the place in the ring is not known, and the loss there says nothing
PEAK_LEARNING_RATE = 3e-3


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained model and the loss it reached (nats a character, mean of the last 50 steps)."""

    model: Transformer
    final_loss: float


def train(config: ModelConfig, seed: int, steps: int, report_every: int = 0) -> Trained:
    """Train on one thread; the same seed, steps, torch and processor give the same weights, bit by bit."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    ring = torch.tensor(tokens.encode(corpus.ring(seed)))
    model = Transformer(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, total_steps=max(steps, 2), pct_start=0.1)
    offsets = torch.arange(config.context + 1)
    recent: deque[float] = deque(maxlen=50)
    for step in range(1, steps + 1):
        ids = ring[(torch.randint(len(ring), (BATCH, 1)) + offsets) % len(ring)]
        recent.append(_update(model, optimizer, ids))
        schedule.step()
        if report_every and step % report_every == 0:
            print(f"step {step}/{steps}  loss {sum(recent) / len(recent):.4f}", flush=True)
    return Trained(model, sum(recent) / len(recent))


def _update(model: Transformer, optimizer: torch.optim.Optimizer, ids: torch.Tensor) -> float:
    """One step of the optimizer on ids [batch, context + 1]; returns the loss after the warm-up characters."""
    logits = model(ids[:, :-1])
    losses = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none").view(len(ids), -1)
    optimizer.zero_grad()
    losses.mean().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(losses[:, WARM_UP_CHARACTERS:].mean().detach())


def save(trained: Trained, seed: int, steps: int, folder: Path) -> weights.WeightsRecord:
    """Write the weights and the record of what they are; returns the record."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / weights.WEIGHTS_FILE
    save_file(trained.model.state_dict(), path)
    path.chmod(0o644)  # safetensors leaves it to its owner alone; a server runs as somebody else
    config = trained.model.config.as_dict()
    record = weights.WeightsRecord(weights.digest(path), config, seed, steps, round(trained.final_loss, 6), str(torch.__version__))
    weights.write_record(folder, record)
    return record


def main(argv: list[str] | None = None) -> int:
    """Train, save, and say which loss was reached and what the digest is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=weights.SHIPPED)
    options = parser.parse_args(argv)
    started = time.monotonic()
    trained = train(ModelConfig(), options.seed, options.steps, report_every=100)
    record = save(trained, options.seed, options.steps, options.out)
    size = sum(p.numel() for p in trained.model.parameters())
    print(f"{size} parameters, loss {record.final_loss:.4f} nats a character, {time.monotonic() - started:.0f} s")
    print(f"{options.out / weights.WEIGHTS_FILE}  sha256 {record.sha256}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
