"""Text to token ids and back: one token is one ASCII character, its id is its code point."""

VOCABULARY_SIZE = 128


def encode(text: str) -> list[int]:
    """Token ids of ``text``, each in [0, 128).

    Raises ValueError when a character is not ASCII: the model has never seen one.
    """
    ids = [ord(character) for character in text]
    for position, token in enumerate(ids):
        if token >= VOCABULARY_SIZE:
            raise ValueError(f"character {text[position]!r} at position {position} of the prompt is not ASCII; this model knows ASCII only")
    return ids


def decode(ids: list[int]) -> str:
    """Text of token ids in [0, 128)."""
    return "".join(map(chr, ids))
