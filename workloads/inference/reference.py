"""Write prompts.jsonl, prompts with the answers of an independent pass.

``python -m workloads.inference.reference [--weights FOLDER] [--out FILE] [--count N]``

The answers come from the plain model: no KV cache, batch of one, one full pass a token. Whoever compares a server's answer with them
notices a damaged cache, a mixed-up batch or other weights. Prompts whose answer was a close call anywhere are left out: a batched
matrix product may round differently, and must not change a greedy answer.
"""

import argparse
import json
import random
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from workloads.inference import corpus, tokens, weights
from workloads.inference.model import ModelConfig, Transformer, greedy

SHIPPED = Path(__file__).parent / "prompts.jsonl"
COMPLETION_TOKENS = 64
SHORTEST, LONGEST = 48, 180  # characters; with 64 more the answer still fits into the context
SMALLEST_MARGIN = 1.0  # logits; rounding moves them by about 1e-5
Row = dict[str, str | float | list[str]]


def load_model(folder: Path) -> Transformer:
    """Load the plain model with the verified weights of ``folder``; raises weights.WeightsRefused."""
    path, record = weights.verified(folder)
    model = Transformer(ModelConfig(**record.config))
    model.load_state_dict(load_file(path))
    return model.eval()


def prompts(model: Transformer, seed: int, count: int) -> list[Row]:
    """``count`` prompts of various lengths with their answers and smallest margins.

    Raises RuntimeError when more than half of the candidates were close calls: the model is not trained well enough.
    """
    ring, rng = corpus.ring(seed), random.Random(seed)  # noqa: S311  a sample of prompts, not a secret
    rows: list[Row] = []
    for _ in range(2 * count):
        text = corpus.window(ring, rng.randrange(len(ring)), rng.randint(SHORTEST, LONGEST))
        answer, margin = greedy(model, tokens.encode(text), COMPLETION_TOKENS)
        if margin >= SMALLEST_MARGIN:
            row: Row = {"prompt_id": len(rows), "prompt": text, "completion": tokens.decode(answer)}
            rows.append(row | {"tokens": [tokens.decode([token]) for token in answer], "smallest_margin": round(margin, 3)})
        if len(rows) == count:
            return rows
    raise RuntimeError(
        f"only {len(rows)} of {2 * count} prompts were answered with a margin of at least {SMALLEST_MARGIN} logits, "
        f"expected {count}: train longer"
    )


def main(argv: list[str] | None = None) -> int:
    """Write the file and say how close the closest answer was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=weights.SHIPPED)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--count", type=int, default=96)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    rows = prompts(load_model(options.weights), weights.read_record(options.weights).seed, options.count)
    options.out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    print(f"{len(rows)} prompts, smallest margin {min(row['smallest_margin'] for row in rows)} logits: {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
