"""Prompts with the answers of an independent pass over the same weights, for a server's answers to be compared with, token by token.

Prompts whose answer was a close call anywhere are left out: a batched product may round differently, and must not change a greedy answer.
"""

import random
from typing import Any

from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from workloads.vllm.model import margin

COUNT, COMPLETION_TOKENS = 64, 64
SHORTEST, LONGEST = 28, 56  # tokens; with 64 more the answer is still inside what the model was trained on
SMALLEST_MARGIN = 1.0  # logits; rounding moves them by about 1e-5

Row = dict[str, Any]


def prompts(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, ring: list[int], seed: int) -> list[Row]:
    """Return prompts of various lengths out of the ``ring`` of tokens, with their greedy answers and smallest margins.

    Raises RuntimeError when more than two thirds of the candidates were close calls or cut inside a word: train longer.
    """
    rng, rows = random.Random(seed), list[Row]()  # noqa: S311  a sample of prompts, not a secret
    for _ in range(3 * COUNT):
        start, length = rng.randrange(len(ring)), rng.randint(SHORTEST, LONGEST)
        ids = [ring[(start + offset) % len(ring)] for offset in range(length + COMPLETION_TOKENS)]
        asked, answer = ids[:length], ids[length:]
        text = tokenizer.decode(asked)
        if tokenizer(text)["input_ids"] != asked:  # cut where the server's tokenizer would cut otherwise
            continue
        if (smallest := margin(model, asked, answer)) >= SMALLEST_MARGIN:
            words = [tokenizer.decode([token]) for token in answer]
            rows.append(
                {"prompt_id": len(rows), "prompt": text, "completion": "".join(words), "tokens": words, "smallest_margin": smallest}
            )
        if len(rows) == COUNT:
            return rows
    raise RuntimeError(f"only {len(rows)} of {3 * COUNT} prompts were answered by a margin of {SMALLEST_MARGIN} logits, expected {COUNT}")
