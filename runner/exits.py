"""Exit codes: a FAIL or a test error; no FAIL but INCONCLUSIVE; refused before any fault. On their own: a child needs no pytest."""

from __future__ import annotations

FAILED, INCONCLUSIVE, REFUSED = 1, 10, 11
