"""The gate `promises`."""
