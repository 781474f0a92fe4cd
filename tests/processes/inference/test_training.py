"""The weights come from a script and a seed."""

from pathlib import Path

from workloads.inference import corpus, train, weights
from workloads.inference.model import ModelConfig

SMALL = ModelConfig(context=64)


def short_training(seed: int, folder: Path) -> str:
    trained = train.train(SMALL, seed, steps=6)
    return train.save(trained, seed, 6, folder).sha256


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    first, second, other = (short_training(seed, tmp_path / str(run)) for run, seed in enumerate((3, 3, 4)))
    assert first == second
    assert first != other
    assert weights.verified(tmp_path / "0")[1].sha256 == first


def test_training_lowers_the_loss() -> None:
    assert train.train(SMALL, 3, steps=60).final_loss < train.train(SMALL, 3, steps=1).final_loss - 1.0


def test_every_sentence_of_the_ring_has_one_successor() -> None:
    text = corpus.sentences(7)
    assert len(text) == len({" ".join(sentence.split()[:3]) for sentence in text}) == corpus.SENTENCES


def test_the_shipped_weights_are_small_and_well_trained() -> None:
    path, record = weights.verified(weights.SHIPPED)
    assert path.stat().st_size < 1_000_000
    assert record.final_loss < 0.01
