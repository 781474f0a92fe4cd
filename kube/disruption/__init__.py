"""Taking a pod away as its disruption budgets allow."""
