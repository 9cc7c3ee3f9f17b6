"""The gate `secrets`."""
