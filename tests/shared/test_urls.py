"""A URL of a server: what is wrong in it is said at construction, and nothing that may be secret is repeated."""

from typing import Any

import pytest

from daxlite.aggregations import AggregationCache, AsyncAggregationCache

SECRET = "s3cret"
REFUSED = {
    "redis://h/0?nonsense=1": "the option nonsense",
    "redis://h/0?timeout=1": "the option timeout",
    "redis://h/0?decode_responses=true": "the option decode_responses",
    "redis://h/0?connection_class=x": "the option connection_class",
    "redis://h/0?retry=1": "the option retry",
    "redis://h/0?ssl_cert_reqs=none": "the option ssl_cert_reqs",
    "redis://h/0?socket_timeout=abc": "socket_timeout of the server's URL must be a number of seconds above 0",
    "redis://h/0?socket_timeout=0": "socket_timeout",
    "redis://h/0?socket_connect_timeout=nan": "socket_connect_timeout",
    "redis://h/0?max_connections=0": "max_connections of the server's URL must be a whole number, at least 1",
    "redis://h/0?max_connections=": "max_connections",
    "redis://h/0?db=abc": "db of the server's URL must be a whole number",
    "redis://h/0?protocol=9": "protocol of the server's URL must be 2 or 3",
    "redis://h/abc": "the number of a database",
    "redis://h/-1": "the number of a database",
    "redis://h:abc/0": "a port from 1 to 65535",
    "redis://h:0/0": "a port from 1 to 65535",
    "redis://h:99999/0": "a port from 1 to 65535",
    "redis://[::1": "a host and a port",
    "http://h": "must begin with redis://",
    "h:6379": "must begin with redis://",
    "": "must begin with redis://",
    "unix://": "the path of a socket",
    "unix:///s?db=abc": "db of the server's URL",
    "unix:///s?socket_keepalive=1": "the option socket_keepalive",
    "rediss://h?ssl_cert_reqs=bogus": "must be none, optional or required",
    "rediss://h?ssl_nonsense=1": "the option ssl_nonsense",
    f"redis://:{SECRET}@h:{SECRET}/0": "a port",
    f"redis://x?{SECRET}@h/0": "an option, which is not allowed",
    f"redis://h/{SECRET}": "the number of a database",
    f"{SECRET}://h": "must begin with",
    f"redis://:{SECRET}@h/0?db={SECRET}": "db of",
}
ALLOWED = [
    "redis://",
    "redis://h",
    "redis://user:pass@h:6380/3?max_connections=1&socket_timeout=0.5&client_name=a%20b&protocol=3",
    "redis://[::1]:6379/0?db=2&username=u&password=p&health_check_interval=30&socket_keepalive=true",
    "rediss://h?ssl_cert_reqs=none&ssl_check_hostname=false",
    "unix:///run/valkey.sock?db=3&password=p",
]
CACHES = pytest.mark.parametrize("cache", [AggregationCache, AsyncAggregationCache])


@CACHES
@pytest.mark.parametrize("url", REFUSED)
def test_a_url_that_is_refused(cache: Any, url: str) -> None:
    with pytest.raises(ValueError) as raised:
        cache(url, "shop")
    assert REFUSED[url] in str(raised.value)
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None


@CACHES
@pytest.mark.parametrize("url", ALLOWED)
def test_a_url_that_is_taken(cache: Any, url: str) -> None:
    cache(url, "shop")._close()
