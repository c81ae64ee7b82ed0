"""dogpile.cache with its Redis backend."""

from functools import partial
from urllib.parse import urlsplit

from benchmarks.interleave import Call
from benchmarks.peers.revenue import DAY, EXPECTED, revenue


def hit(url: str) -> Call:
    from dogpile.cache import make_region

    address = urlsplit(url)
    arguments = {"host": address.hostname, "port": address.port, "distributed_lock": True, "thread_local_lock": False}
    region = make_region().configure(
        "dogpile.cache.redis",
        expiration_time=3600,
        arguments=arguments,
    )
    call = partial(region.cache_on_arguments()(revenue), DAY)
    assert call() == call() == EXPECTED
    return call
