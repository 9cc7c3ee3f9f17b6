"""Sources of a release: git, and the files beside it."""
