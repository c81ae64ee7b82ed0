"""A simulated DynamoDB for tests, with replicas that lag, faults, a history, and a scheduler for threads.

simulator = Simulator()
client = simulator.client()      # a real boto3 client that opens no socket

Requests of real clients are answered by a model. `Simulator` says what it can do; `Scheduler` runs threads that call
it one at a time, in an order that the test chooses.
"""

from tests.simulator.scheduler import Scheduler
from tests.simulator.server import Simulator

__all__ = ["Scheduler", "Simulator"]
