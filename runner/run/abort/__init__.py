"""What ends a run early: signals, stop conditions, whoever works against the run."""
