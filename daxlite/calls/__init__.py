"""What each operation does with the cache, written once for every way of sending it.

An operation is planned by a plain function. An answer from the cache is returned at once; anything else is a generator
of steps, which yields the calls to send and is given their responses or errors, so that it neither knows nor cares
whether threads or an event loop send them.
"""
