"""What was built and published, told to a catalogue of data lineage as OpenLineage events."""
