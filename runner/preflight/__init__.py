"""Everything that can refuse a run before anything is touched, and the plan that results."""
