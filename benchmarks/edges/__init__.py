"""What the edges cost beside the one of threads: asyncio, and `daxlite.install`."""
