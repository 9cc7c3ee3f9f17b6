"""The gate `parity`."""
