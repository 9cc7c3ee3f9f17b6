"""The ledger against the state store: whether what is recorded is what happened."""
