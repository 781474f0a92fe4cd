"""The model that is trained, its optimizer and the schedule of its learning rate: small, real, and the same bits on every run."""

import torch
from torch import Tensor, nn

FEATURES, CLASSES = 16, 8
WARM_UP_STEPS = 10
PEAK_RATE = 3e-3


class Net(nn.Module):
    """A classifier of two hidden layers with dropout, so that the generator's state matters to every step."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(FEATURES, width),
            nn.LayerNorm(width),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Linear(width, CLASSES),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map features [batch, FEATURES] to logits [batch, CLASSES]."""
        logits: Tensor = self.layers(x)
        return logits


def deterministic(seed: int) -> None:
    """Make every operation give the same bits each time: one thread, deterministic algorithms, a seeded generator."""
    torch.set_num_threads(1)
    torch.set_deterministic_debug_mode("error")  # as use_deterministic_algorithms(), which would import a compiler first: seconds
    torch.manual_seed(seed)


def build(seed: int, width: int) -> tuple[Net, torch.optim.AdamW]:
    """Build the model with its first weights, the same on every rank, and an optimizer whose state is already there (zeros).

    An optimizer makes its state at its first step; here it exists from the start, so that a checkpoint has the same entries at every step.
    """
    deterministic(seed)
    model = Net(width)
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, foreach=False)
    for parameter in model.parameters():
        moments = {"exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)}
        optimizer.state[parameter] = {"step": torch.tensor(0.0), **moments}
    return model, optimizer


def learning_rate(step: int, steps: int) -> float:
    """Return the rate of ``step`` (from 1) of ``steps``, a function of the step alone: a linear warm-up, a linear decline to a tenth."""
    if step <= WARM_UP_STEPS:
        return PEAK_RATE * step / WARM_UP_STEPS
    return PEAK_RATE * (1 - 0.9 * (step - WARM_UP_STEPS) / max(1, steps - WARM_UP_STEPS))
