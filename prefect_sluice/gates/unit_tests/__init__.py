"""The gate `unit_tests`."""
