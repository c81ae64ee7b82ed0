"""What test_work.py would record now: `python -m tests.performance`."""

from tests.cache_fixtures import process
from tests.performance.operations import OPERATIONS
from tests.performance.work import work

for name, make in OPERATIONS.items():
    with process():  # a put tells the caches of its process, among them those that the collector has not reached
        print(f"{name}: {work(make())} steps")
