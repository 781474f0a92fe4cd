"""The model that vLLM serves: a Llama of under a million parameters, and a byte-level BPE of the text that it learns."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

VOCABULARY, CONTEXT = 384, 512  # tokens; 256 of the vocabulary are the bytes
END = "<|end|>"


def tokenizer_of(text: str) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE trained on ``text``: words with the space before them, as GPT-2 cuts them; it adds no token of its own."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([text], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, clean_up_tokenization_spaces=False)


def untrained(end_id: int) -> LlamaForCausalLM:
    """Return the model with random weights, in float32; ``end_id``: the token that ends an answer."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=end_id,
        dtype="float32",
    )
    return LlamaForCausalLM(config)


@torch.inference_mode()
def margin(model: LlamaForCausalLM, ids: list[int], answer: list[int]) -> float:
    """Return the smallest margin (logits) by which each token of ``answer`` is the likeliest one after ``ids`` and those before it.

    Above 0 the greedy answer is ``answer``; one full pass over all of it, without a KV cache, shows that as well as a pass a token.
    """
    logits: Tensor = model(torch.tensor([ids + answer]), use_cache=False).logits[0, len(ids) - 1 : -1]
    chosen = torch.tensor(answer)[:, None]
    others = logits.scatter(1, chosen, float("-inf")).max(dim=1).values
    return float((logits.gather(1, chosen)[:, 0] - others).min())
