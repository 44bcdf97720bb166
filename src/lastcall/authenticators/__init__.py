"""Ways of proving who somebody is; each passes the contract of its port."""
