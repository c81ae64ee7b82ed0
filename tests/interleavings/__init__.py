"""Threads that share a wrapped client, in random orders, judged by an oracle.

`programs` says what the threads do, `interleaving` runs them step by step against the simulated DynamoDB, and `oracle`
compares each answer, and what is left in the cache, with the history of what was really there.
"""
