"""Exit codes: a FAIL or a test error; no FAIL but INCONCLUSIVE; refused before any fault; nothing but risks, where these are asked for.

On their own: a child needs no pytest.
"""

from __future__ import annotations

FAILED, INCONCLUSIVE, REFUSED, RISKS = 1, 10, 11, 12
