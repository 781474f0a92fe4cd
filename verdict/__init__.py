"""History in, measurements and a verdict out; pure: no cluster, no clock, no pytest.

:func:`judge` turns a recorded run into a :class:`history.result.RunVerdict`; :func:`standing` says how users fare in a run that still
goes on; :func:`definitions` returns the definition of everything that is measured.
"""

from verdict.definitions import definitions
from verdict.judge import judge
from verdict.standing import Standing, standing

__all__ = ["Standing", "definitions", "judge", "standing"]
