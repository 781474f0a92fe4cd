"""Hands over to :mod:`runner.plugin`, which makes ``pytest -m chaos`` run experiments."""

pytest_plugins = ["runner.plugin"]
