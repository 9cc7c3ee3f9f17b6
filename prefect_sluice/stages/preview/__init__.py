"""Previews: what a check built, under public names of their own, for as long as people look at the change.

A preview is an environment to who reads it, and to nobody else: nothing is released to it, it has no stages and no policy. It
stands in the database of the environment that it is like, over the very relations that serve there and those that the check
built, so it costs no copy of what did not change.
"""
