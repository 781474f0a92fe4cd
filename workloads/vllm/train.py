"""Train the model that vLLM serves from a seed, and write its folder: ``python -m workloads.vllm.train [--out FOLDER]``.

The text is the reference model's (:mod:`workloads.inference.corpus`). The folder is a Hugging Face one (config.json, model.safetensors,
tokenizer.json), with a record of the loss that was reached, and prompts.jsonl: prompts with their right greedy answers.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import torch
from transformers import LlamaForCausalLM

from workloads.inference import corpus
from workloads.vllm.answers import prompts
from workloads.vllm.model import tokenizer_of, untrained

STEPS, SEED, BATCH, LENGTH = 400, 7, 8, 128
WARM_UP_TOKENS = 24  # with less before it, the place in the ring is not known, and the loss there says nothing
PEAK_LEARNING_RATE = 3e-3
RECORD = "record.json"
# What vLLM finds out of its class of models in a process of its own, a third of a server's start, and keeps below VLLM_CACHE_ROOT.
INSPECT = "from vllm.model_executor.models.registry import ModelRegistry; ModelRegistry.models['LlamaForCausalLM'].inspect_model_cls()"


def train(model: LlamaForCausalLM, ids: list[int], steps: int, report_every: int) -> float:
    """Train on windows of a ring of tokens; returns the loss of the last 50 steps (nats a token, after the warm-up)."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, total_steps=steps, pct_start=0.1)
    ring, offsets = torch.tensor(ids), torch.arange(LENGTH + 1)
    recent: deque[float] = deque(maxlen=50)
    for step in range(1, steps + 1):
        recent.append(_update(model, optimizer, ring[(torch.randint(len(ring), (BATCH, 1)) + offsets) % len(ring)]))
        schedule.step()
        if step % report_every == 0:
            print(f"step {step}/{steps}  loss {sum(recent) / len(recent):.4f}", flush=True)
    return sum(recent) / len(recent)


def _update(model: LlamaForCausalLM, optimizer: torch.optim.Optimizer, ids: torch.Tensor) -> float:
    """One step of the optimizer on ids [batch, length + 1]; returns the loss after the warm-up tokens."""
    logits = model(ids[:, :-1], use_cache=False).logits
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none").view(len(ids), -1)
    optimizer.zero_grad()
    losses.mean().backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(losses[:, WARM_UP_TOKENS:].mean().detach())


def main(argv: list[str] | None = None) -> int:
    """Train and save; say the loss."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "weights")
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args(argv)
    record = options.out / RECORD
    record.unlink(missing_ok=True)  # a folder that is half written has none
    made = _make(options.out, options.steps)
    record.write_text(json.dumps(made, indent=1) + "\n")
    print(f"{options.out}: {', '.join(f'{name} {value}' for name, value in made.items())}")
    return 0


def _make(folder: Path, steps: int) -> dict[str, str | float]:
    """Fill the folder; return what it is to be known by."""
    started = time.monotonic()
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # sums in one order
    text = corpus.ring(SEED)
    tokenizer = tokenizer_of(text)
    ids = tokenizer(text)["input_ids"]
    model = untrained(tokenizer.eos_token_id)
    loss = train(model, ids, steps, report_every=100)
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    rows = prompts(model, tokenizer, ids, SEED)
    (folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    subprocess.run([sys.executable, "-c", INSPECT], env={**os.environ, "VLLM_CACHE_ROOT": str(folder / "cache")}, check=True)
    for file in folder.rglob("*.*"):
        file.chmod(0o644)  # safetensors leaves its file to the owner alone; a server runs as somebody else
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "vocabulary": len(tokenizer),
        "steps": steps,
        "loss": round(loss, 5),  # nats a token
        "prompts": len(rows),
        "smallest_margin": min(row["smallest_margin"] for row in rows),  # logits
        "took_s": round(time.monotonic() - started),
        "torch": str(torch.__version__),
    }


if __name__ == "__main__":
    sys.exit(main())
