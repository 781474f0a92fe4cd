"""Power: every weak variant of the training workload meets the fault that should reveal it, and the hardened one meets them all."""
