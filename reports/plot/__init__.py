"""The plot of one trial: :func:`plot` draws it, :func:`caption` says how it was thinned, :func:`describe` says it in words."""

from reports.plot.panels import caption
from reports.plot.stack import describe, plot

__all__ = ["caption", "describe", "plot"]
