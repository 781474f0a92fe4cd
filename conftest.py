"""Hands over to :mod:`runner.plugin.plugin`, which makes ``pytest -m chaos`` run experiments."""

pytest_plugins = ["runner.plugin.plugin"]
