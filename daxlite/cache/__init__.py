"""The item cache and the query cache of one process, and the change clock that keeps them true."""
