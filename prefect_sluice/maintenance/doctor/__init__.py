"""The doctor: finds and names every disagreement between state store, warehouse, bundles and files; repairs what is safe."""
