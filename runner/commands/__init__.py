"""``python -m runner COMMAND``: rights, policies, generated pages, calibration."""
