"""A cache that the application does not close ends with the last reference to it."""

import subprocess
import sys
import textwrap


def test_a_cache_that_is_not_closed_goes_with_its_threads() -> None:
    """In a process of its own: here a fixture keeps each cache that a test makes."""
    code = """
        import gc, threading, weakref
        import fakeredis
        from daxlite.aggregations import AggregationCache

        def threads():
            return [thread for thread in threading.enumerate() if thread.name.startswith("daxlite")]

        cache = AggregationCache(fakeredis.FakeRedis(), "shop")
        assert cache.cached(name="f")(lambda: 1)() == 1
        for thread in threads():
            if thread is not cache._home.hearing._thread:
                thread.join(10)  # it has renewed the lock of the computation
        assert threads() == [cache._home.hearing._thread]
        gone, hearing, outbox = weakref.ref(cache), cache._home.hearing, cache._outbox
        del cache
        gc.collect()
        assert gone() is None, "something keeps it"
        hearing._thread.join(10)
        assert not threads()
        assert outbox._stop.is_open
        """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_dropped_caches_leave_nothing_even_where_the_garbage_collector_is_off() -> None:
    code = """
        import gc, threading, weakref
        import fakeredis
        from daxlite.aggregations import AggregationCache

        gc.disable()
        server, gone, pools = fakeredis.FakeServer(), [], []
        for number in range(6):
            cache = AggregationCache(fakeredis.FakeRedis(server=server), "shop")
            function = cache.cached(name="f")(lambda: 1)
            assert function() == function() == 1
            if number % 2:
                cache.close()
            assert function() == 1
            gone.append(weakref.ref(cache))
            if not number % 2:
                pools.append(cache._home.connections.threads.clients._way)
            threads = [thread for thread in threading.enumerate() if thread.name.startswith("daxlite")]
            del cache, function
            for thread in threads:
                thread.join(10)
        assert [each() for each in gone] == [None] * 6
        assert not any(thread.name.startswith("daxlite") for thread in threading.enumerate())
        assert [len(pool._idle) for pool in pools] == [0] * 3
        """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_p7_what_is_pending_when_the_program_ends_is_sent() -> None:
    code = """
        import atexit
        import fakeredis

        server = fakeredis.FakeServer()
        client = fakeredis.FakeRedis(server=server)
        # Registered before daxlite is imported, so it runs after daxlite's own.
        atexit.register(lambda: print(len(client.keys("*:state"))))

        from daxlite.aggregations import AggregationCache

        cache = AggregationCache(client, "shop")
        server.connected = False
        cache.invalidate_tags("x")
        assert cache.stats().pending_invalidations == 1
        server.connected = True
        """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
