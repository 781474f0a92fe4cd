"""Measures and checks of a run that follows a training job."""
