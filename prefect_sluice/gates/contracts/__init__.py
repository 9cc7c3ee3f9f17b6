"""The gate `contracts`."""
