"""The transformer as it is trained: a plain pass over whole sequences, without a KV cache.

The engine computes the same function step by step (decoder.py); that the two agree is what the tests and prompts.jsonl check.
"""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  torch's own convention


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Sizes of the model; part of the record beside the weights."""

    vocabulary: int = 128
    context: int = 256
    width: int = 64
    heads: int = 4
    layers: int = 2
    hidden: int = 256

    def as_dict(self) -> dict[str, int]:
        """Give the sizes by name."""
        return asdict(self)


class Block(nn.Module):
    """Pre-norm attention and MLP, both added to the residual stream."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm1 = nn.LayerNorm(config.width)
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.norm2 = nn.LayerNorm(config.width)
        self.up = nn.Linear(config.width, config.hidden)
        self.down = nn.Linear(config.hidden, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """Residual stream [batch, time, width] in, same shape out."""
        batch, time, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(batch, time, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, time, width))
        result: Tensor = x + self.down(F.gelu(self.up(self.norm2(x))))
        return result


class Transformer(nn.Module):
    """Decoder-only transformer with learned positions; the output layer shares the token embedding."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.token = nn.Embedding(config.vocabulary, config.width)
        self.position = nn.Embedding(config.context, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        nn.init.normal_(self.token.weight, std=0.1)  # the output layer shares it: the default of 1 would start with a loss of tens
        nn.init.normal_(self.position.weight, std=0.1)

    def forward(self, ids: Tensor) -> Tensor:
        """Token ids [batch, time ≤ context] to logits [batch, time, vocabulary]."""
        x = self.token(ids) + self.position.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.token.weight)


def greedy(model: Transformer, prompt: list[int], count: int) -> tuple[list[int], float]:
    """``count`` greedy tokens after ``prompt`` by recomputing the whole sequence for each, batch of one.

    Returns the tokens and the smallest margin (best logit minus second best) met on the way.
    """
    ids, margin = list(prompt), float("inf")
    with torch.inference_mode():
        for _ in range(count):
            best = model(torch.tensor([ids]))[0, -1].topk(2)
            margin = min(margin, float(best.values[0] - best.values[1]))
            ids.append(int(best.indices[0]))
    return ids[len(prompt) :], margin
