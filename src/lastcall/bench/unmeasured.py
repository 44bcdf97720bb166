"""What ends a bench early."""


class Unmeasured(Exception):
    """Something cannot be measured here; the text says what."""
