"""What people who do this job ran into: each input is run, and its result held beside the right one."""
