"""Drivers take the steps that the logic yields: one driver for threads, one for asyncio.

Each is a loop: take a step, send its reply or throw its error into the generator, until it returns.
"""
