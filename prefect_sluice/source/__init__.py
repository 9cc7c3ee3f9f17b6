"""Sources of a release: git, and the files beside it. `promotions/load_project.py` links in what `source.include` names."""
