"""What each operation does with the cache, written once for every way of sending it.

A plan is a plain function. It returns an answer from the cache at once. Anything else it returns as a generator of
steps (see `core.steps`), which a driver takes, for threads or for asyncio.
"""
