"""The backends that keep the record; each passes the same contract."""
