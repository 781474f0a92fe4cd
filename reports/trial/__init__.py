"""A judged run folder as one trial of the report: what was done, what the plot shows, how well it was measured."""

from reports.trial.judged import Judged, read_judged, tightest, trial_of

__all__ = ["Judged", "read_judged", "tightest", "trial_of"]
