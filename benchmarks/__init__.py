"""The figures: what Lastcall does in a second on this machine, beside what the machine can do."""
