"""The transformer step by step over a KV cache: what the engine runs.

Written apart from model.py, over the same weights: model.py recomputes whole sequences. This keeps keys and values of a fixed number of
sequences (slots), and adds one token to each of the first n slots in one batched pass.
"""

import math
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  torch's own convention

from workloads.inference.model import ModelConfig
from workloads.inference.weights import WeightsRecord


class Decoder:
    """Greedy next tokens for up to ``slots`` sequences at once.

    Not thread-safe. A slot is free to be used again as soon as its sequence ended: a prefill overwrites it from position 0.
    """

    def __init__(self, config: ModelConfig, parameters: dict[str, Tensor], slots: int) -> None:
        """``parameters``: the state dict of model.Transformer, all on one device, where the cache is made too."""
        self.config = config
        self._p = parameters
        self._token, self._position = parameters["token.weight"], parameters["position.weight"]
        self._heads, self._head_width = config.heads, config.width // config.heads
        shape = (config.layers, 2, slots, config.heads, config.context, self._head_width)
        self._cache = torch.zeros(shape, device=self._token.device)
        self._slots = slots
        self._rows = torch.arange(slots, device=self._token.device)
        self._columns = torch.arange(config.context, device=self._token.device)

    @property
    def device(self) -> torch.device:
        """Where weights and cache are."""
        return self._token.device

    def warm_up(self) -> None:
        """Run every batch size once: a kernel's first call is slow, and no user should pay for it."""
        for size in range(1, self._slots + 1):
            self.prefill(size - 1, [0] * 64)
            self.decode([0] * size, [64] * size)

    def prefill(self, slot: int, ids: list[int]) -> int:
        """Read a whole prompt (1 to context - 1 tokens) into ``slot``; returns the first token of the answer."""
        count = len(ids)
        with torch.inference_mode():
            x = self._token[torch.tensor(ids, device=self.device)] + self._position[:count]
            for layer in range(self.config.layers):
                q, k, v = self._project(layer, x).permute(1, 2, 0, 3)  # each [heads, count, head_width]
                self._cache[layer, 0, slot, :, :count] = k
                self._cache[layer, 1, slot, :, :count] = v
                mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
                x = self._finish(layer, x, mixed.transpose(0, 1).reshape(count, self.config.width))
            return int(self._logits(x[-1]).argmax())

    def decode(self, last: list[int], lengths: list[int]) -> list[int]:
        """One more token for each of the slots 0 … n-1 (n = len(last)).

        ``last[i]`` is the newest token of slot i and ``lengths[i]`` the number of tokens in its cache, which is the newest one's position.
        """
        n, span = len(last), max(lengths) + 1
        with torch.inference_mode():
            at = torch.tensor(lengths, device=self.device)
            x = self._token[torch.tensor(last, device=self.device)] + self._position[at]
            unseen = torch.zeros(n, 1, 1, span, device=self.device)
            unseen.masked_fill_((self._columns[:span] > at[:, None])[:, None, None], -math.inf)
            for layer in range(self.config.layers):
                q, k, v = self._project(layer, x).unbind(1)  # each [n, heads, head_width]
                keys, values = self._cache[layer, 0], self._cache[layer, 1]
                keys[self._rows[:n], :, at] = k
                values[self._rows[:n], :, at] = v
                mixed = F.scaled_dot_product_attention(q.unsqueeze(2), keys[:n, :, :span], values[:n, :, :span], attn_mask=unseen)
                x = self._finish(layer, x, mixed.reshape(n, self.config.width))
            best: list[int] = self._logits(x).argmax(-1).tolist()
            return best

    def move(self, source: int, target: int) -> None:
        """Copy the cache of slot ``source`` over that of ``target``."""
        with torch.inference_mode():
            self._cache[:, :, target] = self._cache[:, :, source]

    def _project(self, layer: int, x: Tensor) -> Tensor:
        """Compute queries, keys and values of ``x`` [n, width] as [n, 3, heads, head_width]."""
        normed = self._norm(x, f"blocks.{layer}.norm1")
        return self._linear(normed, f"blocks.{layer}.qkv").view(len(x), 3, self._heads, self._head_width)

    def _finish(self, layer: int, x: Tensor, mixed: Tensor) -> Tensor:
        """Compute the rest of a block after attention, [n, width] each."""
        x = x + self._linear(mixed, f"blocks.{layer}.out")
        hidden = F.gelu(self._linear(self._norm(x, f"blocks.{layer}.norm2"), f"blocks.{layer}.up"))
        return x + self._linear(hidden, f"blocks.{layer}.down")

    def _logits(self, x: Tensor) -> Tensor:
        return F.linear(self._norm(x, "norm"), self._token)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self._p[f"{name}.weight"], self._p[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (self.config.width,), self._p[f"{name}.weight"], self._p[f"{name}.bias"])


def load(weights_file: Path, record: WeightsRecord, slots: int, device: str) -> Decoder:
    """Make a decoder with the given weights on ``device``; the caller has verified the file (weights.verified).

    One thread: the matrices are small, and a second thread would take another replica's processor for nothing.
    """
    torch.set_num_threads(1)
    return Decoder(ModelConfig(**record.config), load_file(weights_file, device=device), slots)
