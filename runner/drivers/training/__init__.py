"""A training job of the run's own: made, followed by its ledger, ended with the run."""
