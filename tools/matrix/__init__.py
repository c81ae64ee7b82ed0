"""The Pythons and the other packages that daxlite has to work with: `make matrix`."""
