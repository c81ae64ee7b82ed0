"""What test_work.py and test_ratios.py would record now: `python -m tests.performance`."""

from tests.performance.operations import OPERATIONS
from tests.performance.test_ratios import FLOORS, ratio_to_floor
from tests.performance.work import work

for name, make in OPERATIONS.items():
    print(f"{name}: {work(make())} steps")
for name in FLOORS:
    print(f"{name}: {ratio_to_floor(name):.2f} times the floor")
