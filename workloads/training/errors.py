"""Why training stops by itself, or a checkpoint is not loaded.

TrainingError
├── RunRefused           a person has to change something; nothing was overwritten or deleted
│   └── SettingsRefused  an environment variable is not what it should be
├── CheckpointRejected   one checkpoint cannot be trusted; an older one may be
├── Fenced               a newer attempt of the same run has taken over: this one must not write
├── RanksDiverged        the ranks' copies of the state differ; the sentence names who deviates
├── StateNotFinite       the weights hold NaN or infinity
└── TooManyQuarantined   batch after batch could not be learned from
"""


class TrainingError(Exception):
    """Root of all errors of this package."""


class RunRefused(TrainingError):
    """The run cannot go on as it is configured, or with what is stored."""


class SettingsRefused(RunRefused):
    """A setting cannot be used."""


class CheckpointRejected(TrainingError):
    """One checkpoint is not what was saved."""


class Fenced(TrainingError):
    """Another attempt of this run is newer."""


class RanksDiverged(TrainingError):
    """The ranks do not hold the same weights."""


class StateNotFinite(TrainingError):
    """There is a number in the weights that is none."""


class TooManyQuarantined(TrainingError):
    """The guard set aside more batches in a row than it may."""
