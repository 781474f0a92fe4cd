"""How true the suite's measurements are: load against its schedule, detectors against known truth, null runs."""
