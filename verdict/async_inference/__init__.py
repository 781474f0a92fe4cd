"""What is judged of asynchronous jobs: that each accepted id ends exactly once, in time, and can be fetched."""
