"""What people read, as pure functions from values: lines of styled spans for a terminal, Markdown for Prefect and forges."""
