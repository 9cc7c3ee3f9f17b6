"""Data contracts: pandera schemas of a data project, loaded from a checkout and compiled to SQL."""
