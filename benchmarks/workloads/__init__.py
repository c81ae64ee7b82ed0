"""What share of an application's reads the cache answers, and whether each answer is right.

    python -m benchmarks.workloads [--write]

Everything runs on a virtual clock and the simulated DynamoDB of `tests/simulator`, so the figures do not depend on the
machine. `common` and `ycsb` are the workloads, `judge` says which answers are right, `ideal` what a perfect cache would
serve.
"""
