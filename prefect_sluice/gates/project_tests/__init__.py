"""The gate `project_tests`."""
