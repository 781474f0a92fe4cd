"""Exit codes: a FAIL or a test error; no FAIL but INCONCLUSIVE; refused before any fault; where asked for: nothing but risks, a regression.

On their own: a child needs no pytest.
"""

from __future__ import annotations

FAILED, INCONCLUSIVE, REFUSED, RISKS, REGRESSED = 1, 10, 11, 12, 13
