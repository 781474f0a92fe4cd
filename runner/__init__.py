"""Carries one experiment through its life: collected by pytest, checked, injected, proven, observed, healed, judged.

``plugin`` is the pytest surface and ``parent`` the half that runs in pytest's process; ``child`` is the other half, one process a run.
``life`` holds the order of the phases; each phase is a module of its own name.
"""
