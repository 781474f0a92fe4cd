"""Bad input of every kind, and how fast the safety net acts."""
