"""What requests and changes mean: pure functions over plain values.

Nothing here does input or output, starts a thread, reads a clock or imports another room of daxlite.
"""
