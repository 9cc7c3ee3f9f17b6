"""What Prefect adds to a run: names, forms, waiting, waking, states, blocks."""
