"""Checks of the state store's rows against the ledger: whether what is recorded is what happened."""
