"""Campaigns that end or cut off the suite at random moments and count what is left over."""
