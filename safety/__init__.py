"""What bounds and undoes a fault: its specification, blast radius, leases, undo journal, and the reaper that outlives the suite."""
