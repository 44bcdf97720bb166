"""What an operator may ask for: the same operations in a running server and without one."""
