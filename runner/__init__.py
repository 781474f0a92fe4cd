"""Carries one experiment through its life: collected by pytest, checked, injected, proven, observed, healed, judged.

``plugin`` is the pytest surface. ``run.parent`` is the half that runs in pytest's process, ``run.child`` the other half, one process a run.
``run.lifecycle`` holds the order of the phases; each phase is a module in ``run.phases``.
"""
