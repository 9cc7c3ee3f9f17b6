"""The gate `safety`."""
