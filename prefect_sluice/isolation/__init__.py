"""A boundary around code that comes with a change: what it may read, write and reach while it runs. Linux; elsewhere none."""
