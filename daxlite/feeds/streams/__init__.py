"""The reader of a stream: which request is due, and what follows from its reply. It does no I/O."""
