"""What a run shows in the Prefect UI: artifacts, assets, nodes, its log."""
