"""From a release and an environment to a frozen plan, and why it is so. Pure."""
