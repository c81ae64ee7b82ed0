"""What test_work.py would record now: `python -m tests.performance`."""

from tests.performance.operations import OPERATIONS
from tests.performance.work import work

for name, make in OPERATIONS.items():
    print(f"{name}: {work(make())} steps")
