"""What earlier runs left: found, shown and ended."""
