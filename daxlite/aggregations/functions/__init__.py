"""Functions whose results are cached: their names, their arguments as keys, and methods bound to an object."""
