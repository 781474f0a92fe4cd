"""Measures and checks of a run whose users send requests."""
