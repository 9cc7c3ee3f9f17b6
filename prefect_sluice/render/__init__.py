"""What people read, as pure functions from values: lines for a terminal, Markdown for Prefect and forges."""
