"""The verbs: what can be asked of the authority, one file each, every one taking `Env` first."""
