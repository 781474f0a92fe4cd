"""Measures and checks of every run: the platform, the fault, the record."""
