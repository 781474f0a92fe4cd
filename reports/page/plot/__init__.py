"""The plot of one trial: :func:`plot` draws it, :func:`caption` says how to read it, :func:`describe` says it in words."""

from reports.page.plot.stack import caption, describe, plot

__all__ = ["caption", "describe", "plot"]
