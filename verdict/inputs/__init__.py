"""What a case is prepared from: arrivals, attempts, outages, recovery, the timeline of a run."""
