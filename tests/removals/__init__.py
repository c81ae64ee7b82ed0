"""Removals: each guard of the algorithm taken away, one at a time, and the tests that then fail (mutation testing by
hand-picked mutants). `make removals` runs them all.

    the tree, copied once --> one guard replaced --> the tests of its row: all must fail --> the guard put back --> next
"""
