"""The rules of sessions and logouts: pure data and decisions, no I/O, no clock, no randomness."""
