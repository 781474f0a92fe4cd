"""What a training job tells of itself: ledger, metrics, tracking."""
