"""The text the model learns: a ring of sentences, made from a seed.

Every sentence has exactly one successor, so a prompt that identifies its place in the ring has exactly one continuation. A model that
learned the ring is nearly certain of each next character, which keeps greedy answers independent of batch composition and of rounding.
The end of a sentence is shared by several sentences: which one follows depends on its beginning, some thirty characters back. So a damaged
or misplaced KV cache changes the answer instead of passing unnoticed.
"""

import random

ADJECTIVES = ("amber", "brisk", "calm", "dusty", "early", "faint", "grey", "humble", "ivory", "jolly", "keen", "late")
NOUNS = ("engine", "falcon", "garden", "harbour", "island", "journal", "kettle", "lantern", "meadow", "needle", "orchard", "pilot")
VERBS = ("admires", "borrows", "carries", "defends", "escorts", "follows", "guards", "hides")
PLACES = ("at dawn", "by the gate", "under snow", "near town", "in silence", "on monday")
SENTENCES = 96


def sentences(seed: int) -> list[str]:
    """Make the ring's ``SENTENCES`` sentences in order, no two with the same subject."""
    rng = random.Random(seed)  # noqa: S311  a corpus, not a secret
    subjects = rng.sample([(adjective, noun) for adjective in ADJECTIVES for noun in NOUNS], SENTENCES)
    return [f"the {adjective} {noun} {rng.choice(VERBS)} the {rng.choice(NOUNS)} {rng.choice(PLACES)}.\n" for adjective, noun in subjects]


def ring(seed: int) -> str:
    """Join the sentences; the text after its last character is its first."""
    return "".join(sentences(seed))


def window(text: str, start: int, length: int) -> str:
    """``length`` characters of the ring from ``start``, running on at its beginning after its end."""
    return "".join(text[(start + offset) % len(text)] for offset in range(length))
