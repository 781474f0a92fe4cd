"""One real request of each kind before a run, by the load's own client: what a server does not answer is said before anything is hurt."""
