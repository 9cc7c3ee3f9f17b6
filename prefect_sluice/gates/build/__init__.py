"""The gate `build`."""
