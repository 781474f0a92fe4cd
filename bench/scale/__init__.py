"""A control plane with thousands of nodes and pods, and what the suite costs there."""
