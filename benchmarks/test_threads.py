"""Threads that hit one cache: what they get done together, and whether one of them starves.

Python runs one of them at a time, and what that costs by itself shows in the floor: threads that only decode."""

import random
import statistics
import threading
from collections import defaultdict
from collections.abc import Callable
from time import perf_counter
from typing import Any

import daxlite
from benchmarks import cores
from benchmarks.conftest import Record, frozen
from benchmarks.items import TABLE, Item, item, key
from benchmarks.peers import floor
from benchmarks.servers import instant_client

THREADS = (1, 2, 4, 8)
ROUNDS = 9
SECONDS = 0.7
KEYS = 1000


def test_threads(record: Record) -> None:
    client = daxlite.wrap(instant_client(GetItem=lambda params: {"Item": item()}))
    for number in range(KEYS):
        client.get_item(TableName=TABLE, Key=key(number=number))

    decode = floor.decode(item())
    calls: dict[str, Callable[[Item], object]] = {
        "hits": lambda key: client.get_item(TableName=TABLE, Key=key),
        "floor": lambda key: decode(),
    }
    runs = [(name, threads) for name in calls for threads in THREADS]

    def measure() -> dict[str, Any]:
        throughput = defaultdict(list)
        fairness = defaultdict(list)
        order = random.Random(5)
        for _ in range(ROUNDS):
            for name, threads in order.sample(runs, len(runs)):
                counts, seconds = _run(calls[name], threads)
                throughput[name, threads].append(sum(counts) / seconds)
                fairness[name, threads].append(min(counts) / max(counts))
        return {
            name: {
                str(threads): {
                    "throughput": throughput[name, threads],
                    "fairness": statistics.median(fairness[name, threads]),
                }
                for threads in THREADS
            }
            for name in calls
        }

    with cores.for_threads(), frozen():
        record(measure)


def _run(call: Callable[[Item], object], threads: int) -> tuple[list[int], float]:
    """How many calls each thread made, and the seconds from the first to the last."""
    counts = [0] * threads
    ready = threading.Barrier(threads + 1)
    over = threading.Event()

    def work(own: int) -> None:
        asked = [key(number=number) for number in random.Random(own).sample(range(KEYS), KEYS)]
        done = 0
        ready.wait()
        while not over.is_set():
            for each in asked[:50]:
                call(each)
            done += 50
        counts[own] = done

    workers = [threading.Thread(target=work, args=(own,)) for own in range(threads)]
    for worker in workers:
        worker.start()
    ready.wait()
    began = perf_counter()
    over.wait(SECONDS)
    over.set()
    for worker in workers:
        worker.join()
    return counts, perf_counter() - began
