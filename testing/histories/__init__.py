"""Histories to judge and render: sample runs, runs whose truth is known by construction, and histories broken on purpose."""
