"""``python -m runner COMMAND``: rights, policies, permission tiers, calibration."""
