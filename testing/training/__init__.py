"""Real training ranks and sick disks for tests."""
