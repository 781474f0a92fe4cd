"""The plot of one trial: :func:`plot` draws it, :func:`legend_of` and :func:`caption` say how to read it."""

from reports.page.plot.lanes import legend_of
from reports.page.plot.stack import caption, describe, plot

__all__ = ["caption", "describe", "legend_of", "plot"]
