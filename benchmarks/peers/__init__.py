"""What Lastcall is measured beside: small programs, written as each one's documentation tells."""
