"""History in, measurements and a verdict out; pure: no cluster, no clock, no pytest.

:func:`judge` turns a recorded run into a :class:`history.result.RunVerdict`; :func:`definitions` returns the definition of everything
that is measured and checked.
"""

from verdict.definitions import definitions
from verdict.judge import judge

__all__ = ["definitions", "judge"]
