"""What a training job reports of itself: ledger, metrics, tracking."""
