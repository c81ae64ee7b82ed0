"""Threads that share a wrapped client, in every order that Hypothesis can think of, judged by an oracle.

`programs` says what the threads do, `world` runs them step by step against the simulated DynamoDB, and `oracle` holds
each answer, and what is left in the cache, against the history of what was really there.
"""
