"""Experiment files: their format, the functions they name, their values, and every mistake with file and line."""
